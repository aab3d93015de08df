// Signs, verifies, encrypts, decrypts and reads bills as wechatpay-axios-plugin does: one question and one answer a line.
import { createInterface } from 'node:readline';
import plugin from 'wechatpay-axios-plugin';

const { Rsa, Aes, Formatter } = plugin;

// A key is read once.
const known = new Map();
const read = (text, type) => {
  if (!known.has(text)) known.set(text, Rsa.from(text, type));
  return known.get(text);
};

const judges = {
  sign: ({ key, method, uri, stamp, nonce, body, mchid, serial }) => {
    const signature = Rsa.sign(Formatter.request(method, uri, stamp, nonce, body), read(key, 'private'));
    return { signature, authorization: Formatter.authorization(mchid, nonce, signature, stamp, serial) };
  },
  answer: ({ key, stamp, nonce, body }) => ({
    signature: Rsa.sign(Formatter.response(stamp, nonce, body), read(key, 'private')),
  }),
  verify: ({ key, stamp, nonce, body, signature }) => ({
    ok: Rsa.verify(Formatter.response(stamp, nonce, body), signature, read(key, 'public')),
  }),
  encrypt: ({ key, nonce, aad, plain }) => ({ text: Aes.AesGcm.encrypt(plain, key, nonce, aad) }),
  decrypt: ({ key, nonce, aad, text }) => ({ text: Aes.AesGcm.decrypt(text, key, nonce, aad) }),
  conceal: ({ key, plain }) => ({ text: Rsa.encrypt(plain, read(key, 'public')) }),
  reveal: ({ key, text }) => ({ text: Rsa.decrypt(text, read(key, 'private')) }),
  bill: ({ text }) => Formatter.castCsvBill(Buffer.from(text, 'base64')),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(judges[question.kind](question))}\n`);
}
