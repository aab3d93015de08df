// A payment, its question, a refund, a closed order, a transfer, a callback and a bill, as a merchant would make them with
// wechatpay-axios-plugin, which signs each request and verifies each answer. What the customer does goes to /customer.
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import plugin from 'wechatpay-axios-plugin';

const { Wechatpay, Rsa, Aes, Formatter } = plugin;

async function tour({ base, mchid, appid, serial, privateKey, certs, apiKey, day }) {
  const { v3 } = new Wechatpay({ baseURL: base, mchid, serial, privateKey, certs });
  const customer = async (what, n) => (await fetch(`${base}/customer/${what}?n=${n}`)).json();
  const refusal = (promise) => promise.then(() => 'nothing', ({ response }) => response.data.code);
  const order = (n) => ({
    appid, mchid, out_trade_no: n, description: '茶', notify_url: 'https://shop.example/cb', amount: { total: 1234, currency: 'CNY' },
  });
  const ask = async (n) => (await v3.pay.transactions.outTradeNo.$n$.get({ n, params: { mchid } })).data;
  const close = (n) => v3.pay.transactions.outTradeNo.$n$.close.post({ mchid }, { n });

  const seen = {};
  seen.code = (await v3.pay.transactions.native.post(order('tour000001'))).data.code_url;
  seen.again = (await v3.pay.transactions.native.post(order('tour000001'))).data.code_url;
  seen.open = (await ask('tour000001')).trade_state;
  seen.reused = await refusal(v3.pay.transactions.native.post({ ...order('tour000001'), amount: { total: 1, currency: 'CNY' } }));
  await customer('pay', 'tour000001');
  seen.paid = await ask('tour000001');
  seen.paidAgain = await refusal(v3.pay.transactions.native.post(order('tour000001')));
  seen.closePaid = await refusal(close('tour000001'));
  seen.absent = await refusal(ask('tour000009'));

  const refund = { out_trade_no: 'tour000001', out_refund_no: 'back000001', amount: { refund: 234, total: 1234, currency: 'CNY' } };
  seen.refund = (await v3.refund.domestic.refunds.post(refund)).data;
  seen.refundAgain = (await v3.refund.domestic.refunds.post(refund)).data.refund_id;
  seen.refundAsked = (await v3.refund.domestic.refunds.$n$.get({ n: 'back000001' })).data;
  seen.tooSoon = await refusal(v3.refund.domestic.refunds.post({ ...refund, out_refund_no: 'back000002' }));

  await v3.pay.transactions.native.post(order('tour000002'));
  seen.closed = (await close('tour000002')).status;
  seen.state = (await ask('tour000002')).trade_state;

  const told = await customer('callback', 'tour000001');
  const [stamp, nonce, signature, by] = ['timestamp', 'nonce', 'signature', 'serial'].map((name) => told.header[`wechatpay-${name}`]);
  seen.toldBy = Rsa.verify(Formatter.response(stamp, nonce, told.body), signature, Rsa.from(certs[by], 'public'));
  const { ciphertext, nonce: iv, associated_data: aad } = JSON.parse(told.body).resource;
  seen.told = JSON.parse(Aes.AesGcm.decrypt(ciphertext, apiKey, iv, aad));

  for (const [kind, params] of [['tradebill', { bill_type: 'ALL' }], ['fundflowbill', { account_type: 'BASIC' }]]) {
    const { data } = await v3.bill[kind].get({ params: { bill_date: day, ...params } });
    const token = new URL(data.download_url).searchParams.get('token');
    const file = await v3.billdownload.file.get({ params: { token }, responseType: 'arraybuffer' });
    seen[kind] = {
      hash: createHash('sha1').update(Buffer.from(file.data)).digest('hex') === data.hash_value,
      ...Formatter.castCsvBill(Buffer.from(file.data)),
    };
  }
  return seen;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await tour(JSON.parse(line)))}\n`);
}
