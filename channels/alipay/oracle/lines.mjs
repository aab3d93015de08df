import { createInterface } from 'node:readline'

// answer writes a line of JSON for every line of JSON that it reads.
export async function answer(judge) {
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    process.stdout.write(JSON.stringify(await judge(JSON.parse(line))) + '\n')
  }
}
