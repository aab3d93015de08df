// Signs and verifies deliveries as PayPal documents it, with Node's own cryptography and a CRC of its own.
import { createSign, createVerify } from 'node:crypto';
import { createInterface } from 'node:readline';

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { body, id, at, webhook, key, certificate, signature } = JSON.parse(line);
  const text = [id, at, webhook, crc32(Buffer.from(body, 'base64'))].join('|');
  console.log(JSON.stringify({
    signed: createSign('RSA-SHA256').update(text).sign(key, 'base64'),
    believed: createVerify('RSA-SHA256').update(text).verify(certificate, signature, 'base64'),
  }));
}
