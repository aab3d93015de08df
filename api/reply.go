package api

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"paysaga/domain/fault"
)

const mediaJSON = "application/json"

// reply writes v as JSON. It is whole in memory first, so that a failure can still become a problem document.
func reply(c echo.Context, status int, media string, v any) error {
	if c.Request().Method == http.MethodHead {
		return c.NoContent(status)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // a QR code's URL stays readable
	if err := enc.Encode(v); err != nil {
		return fault.Internal("an answer can't be written", err)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	return c.Blob(status, media, b.Bytes())
}
