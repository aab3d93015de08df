package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json/jsontext"

	"paysaga/domain/fault"
)

// bodySchemas are the schemas of JSON bodies by operationId, read from openapi.yaml once per process.
var bodySchemas = sync.OnceValues(func() (map[string]*openapi3.Schema, error) {
	doc, err := openapi3.NewLoader().LoadFromData(specification)
	if err != nil {
		return nil, fmt.Errorf("api: openapi.yaml: %w", err)
	}
	schemas := map[string]*openapi3.Schema{}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody == nil {
				continue
			}
			if media := op.RequestBody.Value.Content["application/json"]; media != nil {
				schemas[op.OperationID] = media.Schema.Value
			}
		}
	}
	return schemas, nil
})

// conforms holds a body against openapi.yaml. It comes after the checks by hand, which say more; it is there so that the
// document can't promise a limit that nobody keeps.
func (s *server) conforms(operationID string, body []byte) error {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fault.Invalid("json_invalid", "", "the body is not JSON")
	}
	var wrong *openapi3.SchemaError
	err := s.schemas[operationID].VisitJSON(v, openapi3.FailFast())
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		var pointer jsontext.Pointer
		for _, token := range wrong.JSONPointer() {
			pointer = pointer.AppendToken(token)
		}
		return fault.Invalid("schema_violated", path(pointer), "the field isn't as openapi.yaml describes it")
	}
	return fault.Invalid("schema_violated", "", "the body isn't as openapi.yaml describes it")
}
