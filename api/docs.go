package api

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

//go:embed openapi.yaml
var specification []byte

// Specification returns openapi.yaml.
func Specification() []byte { return append([]byte(nil), specification...) }

// onlyOurs makes the browser refuse whatever the reference page would load from, or send to, anywhere else.
const onlyOurs = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// docsPage serves Swagger UI from the binary.
func docsPage() http.Handler {
	return v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "paysaga API", SwaggerJSON: "/openapi.yaml", BasePath: "/docs/",
		SettingsUI: map[string]string{
			"validatorUrl":         "null", // the default asks a server of swagger.io
			"tryItOutEnabled":      "true",
			"persistAuthorization": "false", // a key doesn't stay in the browser
		},
	})
}

// GetReference shows the reference page and its assets.
func (s *server) GetReference(c echo.Context) error {
	c.Response().Header().Set("Content-Security-Policy", onlyOurs)
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	s.docs.ServeHTTP(c.Response(), c.Request())
	return nil
}

// GetSpecification serves openapi.yaml as it was when this binary was built.
func (s *server) GetSpecification(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml; charset=utf-8", specification)
}
