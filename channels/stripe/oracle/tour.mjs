// Payments, an authorization, a cancel, a refund, refusals and a report, as a merchant would make them with Stripe's own
// client. Time passes at the fake by GET /advance of the tour's own address.
import { createInterface } from 'node:readline';
import Stripe from 'stripe';

async function tour({ base, secret, control, from, till }) {
  const at = new URL(base);
  const stripe = new Stripe(secret, { host: at.hostname, port: at.port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
  const refusal = (promise) => promise.then(() => 'nothing', (e) => e.code ?? e.type);
  const card = (method, more = {}) => ({ amount: 1234, currency: 'usd', confirm: true, payment_method: method, payment_method_types: ['card'], ...more });

  const seen = {};
  const paid = await stripe.paymentIntents.create(card('pm_card_visa', { metadata: { paysaga_reference: 'ptour' } }), { idempotencyKey: 'one' });
  seen.paid = [paid.status, paid.amount_received];
  seen.again = (await stripe.paymentIntents.create(card('pm_card_visa', { metadata: { paysaga_reference: 'ptour' } }), { idempotencyKey: 'one' })).id === paid.id;
  seen.reused = await refusal(stripe.paymentIntents.create(card('pm_card_visa', { amount: 1 }), { idempotencyKey: 'one' }));
  seen.declined = await refusal(stripe.paymentIntents.create(card('pm_card_visa_chargeDeclinedInsufficientFunds')));
  seen.unknown = await refusal(stripe.paymentIntents.create(card('pm_card_visa', { nonsense: 1 })));
  seen.missing = await refusal(stripe.paymentIntents.retrieve('pi_none'));

  const held = await stripe.paymentIntents.create(card('pm_card_visa', { capture_method: 'manual' }));
  seen.held = [held.status, held.amount_capturable];
  seen.taken = (await stripe.paymentIntents.capture(held.id, { amount_to_capture: 1000 })).amount_received;
  const other = await stripe.paymentIntents.create(card('pm_card_visa', { capture_method: 'manual' }));
  seen.canceled = (await stripe.paymentIntents.cancel(other.id)).status;
  seen.captureCanceled = await refusal(stripe.paymentIntents.capture(other.id));

  const back = await stripe.refunds.create({ payment_intent: paid.id, amount: 234, metadata: { paysaga_reference: 'rtour' } }, { idempotencyKey: 'back' });
  seen.refund = [back.status, back.amount, (await stripe.refunds.retrieve(back.id)).status];
  seen.listed = (await stripe.refunds.list({ payment_intent: paid.id })).data.length;

  await fetch(control);
  const type = 'balance_change_from_activity.itemized.3';
  seen.type = (await stripe.reporting.reportTypes.retrieve(type)).id;
  const run = await stripe.reporting.reportRuns.create({ report_type: type, parameters: {
    interval_start: from, interval_end: till, columns: ['balance_transaction_id', 'reporting_category', 'gross', 'net'] } });
  seen.pending = run.status;
  await fetch(control);
  const done = await stripe.reporting.reportRuns.retrieve(run.id);
  seen.done = done.status;
  const file = await fetch(done.result.url, { headers: { authorization: `Bearer ${secret}` } });
  seen.rows = (await file.text()).trim().split('\n').slice(1).map((row) => row.split(',').slice(1, 3).join(' ')).sort();
  return seen;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await tour(JSON.parse(line))));
}
