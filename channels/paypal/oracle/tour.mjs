// Orders, captures, an authorization, its void, a refund and a refusal, as a merchant would make them with PayPal's own
// server SDK. The SDK knows only PayPal's two addresses, so what it sends over https is led to the fake.
import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import * as sdk from '@paypal/paypal-server-sdk';

const { Client, Environment, OrdersController, PaymentsController, CheckoutPaymentIntent } = sdk;

async function tour({ base, clientId, clientSecret }) {
  const at = new URL(base);
  https.request = (options, done) => http.request({
    ...options, protocol: 'http:', host: at.hostname, hostname: at.hostname, port: at.port, agent: undefined, agents: undefined, servername: undefined,
  }, done);
  const client = new Client({
    environment: Environment.Sandbox,
    clientCredentialsAuthCredentials: { oAuthClientId: clientId, oAuthClientSecret: clientSecret },
  });
  const orders = new OrdersController(client);
  const payments = new PaymentsController(client);
  const refusal = (promise) => promise.then(() => 'nothing', (e) => e.result?.details?.[0]?.issue ?? String(e));
  const prefer = 'return=representation';
  const body = (intent, ref) => ({
    intent, purchaseUnits: [{ referenceId: 'tour', customId: ref, invoiceId: ref, amount: { currencyCode: 'USD', value: '12.34' } }],
  });
  const source = { card: { vaultId: 'vault-ok' } };
  const create = async (intent, ref) => (await orders.createOrder({ body: body(intent, ref), paypalRequestId: ref, prefer })).result;

  const seen = {};
  const made = await create(CheckoutPaymentIntent.Capture, 'tour0001');
  seen.status = made.status;
  seen.again = (await create(CheckoutPaymentIntent.Capture, 'tour0001')).id === made.id;
  seen.unapproved = await refusal(orders.captureOrder({ id: made.id, paypalRequestId: 'tour0001-x', prefer, body: {} }));
  const taken = (await orders.captureOrder({ id: made.id, paypalRequestId: 'tour0001-take', prefer, body: { paymentSource: source } })).result;
  const capture = taken.purchaseUnits[0].payments.captures[0];
  seen.captured = [taken.status, capture.status, capture.amount.value];
  seen.twice = await refusal(orders.captureOrder({ id: made.id, paypalRequestId: 'tour0001-other', prefer, body: { paymentSource: source } }));

  const refund = { captureId: capture.id, paypalRequestId: 'back0001', prefer, body: { customId: 'back0001', amount: { currencyCode: 'USD', value: '2.34' } } };
  const back = (await payments.refundCapturedPayment(refund)).result;
  seen.refund = [back.status, back.amount.value];
  seen.refundAgain = (await payments.refundCapturedPayment(refund)).result.id === back.id;
  seen.refundAsked = (await payments.getRefund({ refundId: back.id })).result.status;
  seen.tooMuch = await refusal(payments.refundCapturedPayment({ ...refund, paypalRequestId: 'back0002' , body: { amount: { currencyCode: 'USD', value: '12.00' } } }));
  seen.asked = (await orders.getOrder({ id: made.id })).result.purchaseUnits[0].payments.captures[0].status;

  const held = await create(CheckoutPaymentIntent.Authorize, 'tour0002');
  const order = (await orders.authorizeOrder({ id: held.id, paypalRequestId: 'tour0002-take', prefer, body: { paymentSource: source } })).result;
  const authorization = order.purchaseUnits[0].payments.authorizations[0];
  seen.authorized = authorization.status;
  const part = (await payments.captureAuthorizedPayment({
    authorizationId: authorization.id, paypalRequestId: 'part0001', prefer,
    body: { amount: { currencyCode: 'USD', value: '10.00' }, finalCapture: true, invoiceId: 'part0001' },
  })).result;
  seen.part = [part.status, part.amount.value];

  const gone = await create(CheckoutPaymentIntent.Authorize, 'tour0003');
  const third = (await orders.authorizeOrder({ id: gone.id, paypalRequestId: 'tour0003-take', prefer, body: { paymentSource: source } })).result;
  const id = third.purchaseUnits[0].payments.authorizations[0].id;
  seen.voided = (await payments.voidPayment({ authorizationId: id, prefer })).result.status;
  seen.voidAgain = await refusal(payments.voidPayment({ authorizationId: id, prefer }));

  const closed = await create(CheckoutPaymentIntent.Capture, 'tour0004');
  await orders.patchOrder({ id: closed.id, body: [{ op: 'replace', path: '/intent', value: 'AUTHORIZE' }] });
  seen.closed = await refusal(orders.captureOrder({ id: closed.id, paypalRequestId: 'tour0004-take', prefer, body: { paymentSource: source } }));
  seen.missing = await refusal(orders.getOrder({ id: '5OR00000000099999' }));
  return seen;
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await tour(JSON.parse(line))));
}
