package wechatpay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels/wechatpay"
	"paysaga/channels/wechatpay/fake"
	"paysaga/domain/fault"
	"paysaga/domain/id"
)

// What can't be right is refused when the account is opened, without being quoted (I-26).
func TestCredentialsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	d := b.ch.Describe()
	good := b.fake.Credentials()
	require.NoError(t, d.CheckCredentials(good, id.Live))
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(curve)
	require.NoError(t, err)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	for name, values := range map[string][]string{
		wechatpay.MchID:          {"hunter2", "12", "19000000011", "1900000001\n"},
		wechatpay.AppID:          {"wx hunter2", strings.Repeat("x", 33)},
		wechatpay.SerialNo:       {"hunter2", "abcdef", strings.Repeat("A", 41)},
		wechatpay.APIv3Key:       {"hunter2", strings.Repeat("ä", 16), strings.Repeat("x", 33)},
		wechatpay.PublicKeyID:    {"hunter2", "PUB_KEY_ID_", "5F3A"},
		wechatpay.PublicKey:      {"hunter2", good[wechatpay.PrivateKey]},
		wechatpay.TransferScene:  {"hunter2"},
		wechatpay.TransferReport: {"hunter2", "=x", "x="},
		wechatpay.PrivateKey: {"hunter2", good[wechatpay.PublicKey], fake.PrivatePEM(small),
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})), "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"},
	} {
		for _, value := range values {
			bad := b.fake.Credentials()
			bad[name] = value
			err := d.CheckCredentials(bad, id.Live)
			require.Equal(t, fault.KindInvalid, fault.Of(err), "%s: %q", name, value)
			assert.NotContains(t, err.Error(), "hunter2", name)
			a := b.account
			a.Credentials = bad
			assert.Equal(t, fault.KindDenied, fault.Of(b.ch.Probe(t.Context(), a)), name)
		}
	}
}

// The merchant platform hands keys out as PKCS#8; older ones are PKCS#1.
func TestBothFormsOfKeysAreRead(t *testing.T) {
	t.Parallel()
	b := newBench(t, fake.Config{})
	block, _ := pem.Decode([]byte(b.account.Credentials[wechatpay.PrivateKey]))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	b.account.Credentials[wechatpay.PrivateKey] = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
		Bytes: x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))}))
	require.NoError(t, b.ch.Probe(t.Context(), b.account))
	half := b.account
	half.Credentials = b.fake.Credentials()
	delete(half.Credentials, wechatpay.PublicKey)
	assert.Equal(t, fault.KindDenied, fault.Of(b.ch.Probe(t.Context(), half)), "an id without its key")
	half.Credentials = b.fake.Credentials()
	delete(half.Credentials, wechatpay.PublicKey)
	delete(half.Credentials, wechatpay.PublicKeyID)
	assert.NoError(t, b.ch.Probe(t.Context(), half), "by certificates alone")
}
