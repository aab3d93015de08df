import { answer } from './lines.mjs'

await answer((question) => ({ said: question.say }))
