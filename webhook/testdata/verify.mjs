// Reads {secret, headers, body} from standard input, one per line, and prints what the official library thinks of each.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const { Webhook } = createRequire(process.argv[2] + '/')('standardwebhooks')
for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line)
  try {
    new Webhook(secret).verify(Buffer.from(body, 'base64').toString('utf8'), headers)
    console.log('verified')
  } catch (e) {
    console.log(e.message)
  }
}
