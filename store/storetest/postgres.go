package storetest

import (
	"errors"
	"fmt"
	"os"

	"paysaga/store/throwaway"
)

// Durable names a variable that, when set, makes the server write as it would in production: for crash tests and figures.
const Durable = "PAYSAGA_TEST_DURABLE"

// held keeps the server of this process alive: it ends when nobody holds it.
//
//lint:ignore U1000 to be held is its use
var held *throwaway.Server

// launch starts a server that only its Unix socket reaches, and returns the URL of its superuser.
func launch() (string, error) {
	s, err := throwaway.Start(throwaway.Config{Durable: os.Getenv(Durable) != ""})
	if errors.Is(err, throwaway.ErrNoServer) {
		return "", fmt.Errorf("%w, in %s", err, Environment)
	}
	if err != nil {
		return "", err
	}
	held = s
	return s.URL, nil
}
