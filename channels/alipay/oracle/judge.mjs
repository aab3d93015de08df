// Alipay's own client judges: each question is one thing that it does, the answer is what came of it.
import { AlipaySdk } from 'alipay-sdk'
import { answer } from './lines.mjs'

const clients = new Map()

function client(config) {
  const key = JSON.stringify(config)
  if (!clients.has(key)) clients.set(key, new AlipaySdk({ ...config }))
  return clients.get(key)
}

const ways = {
  // exec calls the gateway and verifies the signature of its answer.
  exec: async (sdk, q) => {
    try {
      return { result: await sdk.exec(q.method, { ...q.params, bizContent: q.biz }, { validateSign: true }) }
    } catch (e) {
      return { error: e.message.slice(0, 40) }
    }
  },
  // notify verifies a callback in both ways that the client has.
  notify: (sdk, q) => ({ raw: sdk.checkNotifySignV2({ ...q.form }), decoded: decoded(sdk, q.form) }),
  // order signs as an app's order string, page as a page's address.
  order: (sdk, q) => ({ text: sdk.sdkExecute(q.method, { ...q.params, bizContent: q.biz }, { bizContentAutoSnakeCase: false }) }),
  page: (sdk, q) => ({ text: sdk.pageExecute(q.method, 'GET', { ...q.params, bizContent: q.biz }) }),
  // cut takes out of an answer what is signed.
  cut: (sdk, q) => ({ text: sdk.getSignStr(q.body, q.key) }),
  serials: (sdk) => ({ serials: [sdk.config.appCertSn, sdk.config.alipayRootCertSn, sdk.config.alipayCertSn] }),
}

function decoded(sdk, form) {
  try {
    return sdk.checkNotifySign({ ...form })
  } catch {
    return false
  }
}

await answer((q) => ways[q.way](client(q.config), q))
