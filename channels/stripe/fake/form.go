package fake

import (
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// form is Stripe's form encoding, flat: metadata[a] and expand[0] are keys.
type form map[string]string

func readForm(raw string) (form, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, err
	}
	f := form{}
	for k, v := range values {
		f[k] = v[len(v)-1]
	}
	return f, nil
}

// canonical is equal for equal parameters, in whatever order they were sent.
func (f form) canonical() string {
	v := url.Values{}
	for k, text := range f {
		v.Set(k, text)
	}
	return v.Encode()
}

// list gathers name[0], name[1], … and name[].
func (f form) list(name string) []string {
	var keys []string
	for k := range f {
		if strings.HasPrefix(k, name+"[") {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = f[k]
	}
	return out
}

// hash gathers name[a], name[b], …
func (f form) hash(name string) map[string]string {
	out := map[string]string{}
	for k, v := range f {
		if inner, ok := strings.CutPrefix(k, name+"["); ok {
			out[strings.TrimSuffix(inner, "]")] = v
		}
	}
	return out
}

func (f form) expands(what string) bool { return slices.Contains(f.list("expand"), what) }

// only refuses parameters that the endpoint doesn't know, as Stripe does.
func (f form) only(names ...string) (answer, bool) {
	for k := range f {
		top, _, _ := strings.Cut(k, "[")
		if !slices.Contains(names, top) && top != "expand" {
			return invalid("parameter_unknown", k, "Received unknown parameter: "+k), false
		}
	}
	return answer{}, true
}

// integer reads an optional integer parameter.
func (f form) integer(name string) (n int64, given bool, bad answer, ok bool) {
	text, given := f[name]
	if !given {
		return 0, false, answer{}, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, true, invalid("parameter_invalid_integer", name, "Invalid integer: "+text), false
	}
	return n, true, answer{}, true
}
