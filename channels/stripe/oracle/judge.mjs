// Signs what we verify, and verifies what our fake signs, with Stripe's own client.
import { createInterface } from 'node:readline';
import Stripe from 'stripe';

const { webhooks } = new Stripe('sk_test_judge');

for await (const line of createInterface({ input: process.stdin })) {
  const { payload, secret, at, header } = JSON.parse(line);
  const signed = webhooks.generateTestHeaderString({ payload, secret, timestamp: at });
  let believed = '';
  try {
    believed = webhooks.constructEvent(payload, header, secret, 300, undefined, at * 1000).id;
  } catch (e) {
    believed = e.type ?? String(e);
  }
  console.log(JSON.stringify({ signed, believed }));
}
