package channeltest

import (
	"errors"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"paysaga/channels"
	"paysaga/domain/fault"
)

func canProbe(_ *Harness, d channels.Description) bool { return d.Can(channels.OpProbe) }

// accounts are what opens an account, and what finds out whether it works.
var accounts = []testCase{
	{"the account's credentials are those that the channel describes", nil, func(k *kit) {
		d := k.ch.Describe()
		require.NotEmpty(k, d.Credentials, "nobody could open an account")
		assert.NoError(k, d.CheckCredentials(k.acct.Credentials, k.acct.Book))
		for _, c := range d.Credentials {
			assert.NotEmpty(k, c.Help, c.Name)
			if !c.Required {
				continue
			}
			assert.NotEmpty(k, k.acct.Credentials[c.Name], c.Name)
			fewer := map[string]string{}
			for name, value := range k.acct.Credentials {
				if name != c.Name {
					fewer[name] = value
				}
			}
			err := d.CheckCredentials(fewer, k.acct.Book)
			require.True(k, fault.Is(err, fault.KindInvalid, "credentials_invalid"), "%v", err)
			assert.ErrorContains(k, err, c.Name)
		}
	}},
	{"a probe finds the channel, and moves nothing", canProbe, func(k *kit) {
		assert.NoError(k, k.ch.Probe(k.Context(), k.acct))
		if k.h.OK != nil {
			k.unpaidInBook(k.chargeCall(k.h.OK))
		}
	}},
	{"a probe says that credentials are refused, without quoting them", canProbe, func(k *kit) {
		if k.h.Rejected == nil {
			k.Skip("the harness has no rejected credentials")
		}
		a := k.acct
		a.Credentials = k.h.Rejected
		err := k.ch.Probe(k.Context(), a)
		require.Equal(k, fault.KindDenied, fault.Of(err), "%v", err)
		for _, secret := range k.h.Rejected {
			assert.NotContains(k, err.Error(), secret)
		}
	}},
	{"a probe of a channel that isn't there is unavailable", canProbe, func(k *kit) {
		if k.h.NoNetwork != "" {
			k.Skipf("an address without a server, and the channel has %s", k.h.NoNetwork)
		}
		a := k.acct
		a.BaseURL = "http://127.0.0.1:1"
		err := k.ch.Probe(k.Context(), a)
		var f *fault.Error
		require.True(k, errors.As(err, &f))
		assert.Equal(k, fault.KindUnavailable, f.Kind, "%v", err)
	}},
}
