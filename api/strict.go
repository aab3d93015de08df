package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
)

const (
	maxBody  = 64 << 10
	maxDepth = 8 // the deepest request has 5: body, order, lines, line, field
)

// readBody reads at most 64 KiB.
func readBody(c echo.Context) ([]byte, error) {
	r := c.Request()
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, maxBody))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge()
	case err != nil:
		return nil, fault.Invalid("body_unreadable", "", "the body ended before it was complete")
	}
	return body, nil
}

func tooLarge() error { return fault.Invalid("body_too_large", "", "a body is at most 64 KiB") }

// readJSON reads a request's body into a generated model, or says which field is wrong.
func readJSON(c echo.Context, into any) ([]byte, error) {
	h := c.Request().Header
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || media != "application/json" || len(h.Values("Content-Type")) > 1 ||
		(charset != "" && !strings.EqualFold(charset, "utf-8")) || h.Get("Content-Encoding") != "" {
		return nil, fault.Invalid("content_type_unsupported", "Content-Type", "send application/json in UTF-8, not compressed")
	}
	body, err := readBody(c)
	if err != nil {
		return nil, err
	}
	return body, decode(body, into)
}

// decode reads strict JSON: encoding/json would take the last of two equal names, match names in any case, turn broken
// UTF-8 into U+FFFD and ignore what follows the value, so that two different bodies became one request.
func decode(body []byte, into any) error {
	if err := scan(body); err != nil {
		return err
	}
	err := json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	var wrong *json.SemanticError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return fault.Invalid("json_invalid", "", "the body is not JSON")
	case errors.Is(err, json.ErrUnknownName):
		return fault.Invalid("field_unknown", path(wrong.JSONPointer), "there is no such field; names are in lower case")
	}
	return fault.Invalid("type_invalid", path(wrong.JSONPointer), "the field is of another type, or a number out of range; amounts are strings")
}

// scan checks what a decoder into structs wouldn't: one object and nothing after it, no null, no NUL, not too deep.
func scan(body []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(body))
	if d.PeekKind() != '{' {
		if _, err := d.ReadToken(); err != nil {
			return unreadable(err)
		}
		return fault.Invalid("json_invalid", "", "the body is not a JSON object")
	}
	for {
		t, err := d.ReadToken()
		if err != nil {
			return unreadable(err)
		}
		switch t.Kind() {
		case '{', '[':
			if d.StackDepth() > maxDepth {
				return fault.Invalid("json_invalid", "", "the body is nested too deeply")
			}
		case 'n':
			return fault.Invalid("null_refused", path(d.StackPointer()), "leave a field out instead of sending null")
		case '"':
			if strings.IndexByte(t.String(), 0) >= 0 {
				return fault.Invalid("json_invalid", path(d.StackPointer()), "a text has no NUL character")
			}
		}
		if d.StackDepth() == 0 {
			break
		}
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return fault.Invalid("json_invalid", "", "something follows the JSON object")
	}
	return nil
}

// unreadable says in our own words why the bytes are no JSON: the library's quote the body (I-26).
func unreadable(err error) error {
	param, message := "", "the body is not JSON in UTF-8"
	var at *jsontext.SyntacticError
	if errors.As(err, &at) {
		param = path(at.JSONPointer)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		message = "a field stands twice"
	}
	return fault.Invalid("json_invalid", param, message)
}

// path writes /order/lines/0/sku as order.lines[0].sku.
func path(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if n, err := strconv.ParseUint(token, 10, 16); err == nil && b.Len() > 0 {
			b.WriteString("[" + strconv.FormatUint(n, 10) + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(shortParam(token))
	}
	return b.String()
}

// shortParam keeps a name that the caller chose from growing our answers.
func shortParam(name string) string {
	if visible(name, 64) {
		return name
	}
	return "?"
}
