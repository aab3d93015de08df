package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/protobuf/types/known/durationpb"
)

// searchAttributes are what operators find workflows by. SQL visibility has room
// for 10 keywords and 3 of each other kind per namespace.
var searchAttributes = map[string]enumspb.IndexedValueType{
	"Book":          enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"BusinessID":    enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"MerchantID":    enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"OrderRef":      enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"Channel":       enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"State":         enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"Currency":      enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	"BusinessDate":  enumspb.INDEXED_VALUE_TYPE_KEYWORD, // 2026-11-21: ranges work on keywords
	"NeedsOperator": enumspb.INDEXED_VALUE_TYPE_BOOL,
	"AmountMinor":   enumspb.INDEXED_VALUE_TYPE_INT, // minor units, never a double
}

// settleNamespace registers the namespace and its search attributes, and returns
// once a workflow that carries all of them can be started and can change them.
func settleNamespace(ctx context.Context, address, namespace string) error {
	c, err := dial(ctx, address, namespace)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := register(ctx, c.WorkflowService(), namespace); err != nil {
		return fmt.Errorf("cannot register the namespace %s: %w", namespace, err)
	}
	added, err := addSearchAttributes(ctx, c.OperatorService(), namespace)
	if err != nil {
		return fmt.Errorf("cannot register search attributes: %w", err)
	}
	if !added {
		return nil // known since an earlier start, so every service has read them
	}
	return proveSearchAttributes(ctx, c.WorkflowService(), namespace)
}

// dial waits for the server, which answers a moment after its port is open.
func dial(ctx context.Context, address, namespace string) (client.Client, error) {
	quiet := sdklog.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	var c client.Client
	err := retry(ctx, func(ctx context.Context) (err error) {
		c, err = client.DialContext(ctx, client.Options{HostPort: address, Namespace: namespace, Logger: quiet})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the Temporal server does not answer on %s: %w", address, err)
	}
	return c, nil
}

func register(ctx context.Context, service workflowservice.WorkflowServiceClient, namespace string) error {
	return retry(ctx, func(ctx context.Context) error {
		// Asking first would make the server remember for a second that there is none.
		_, err := service.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace:                        namespace,
			Description:                      "paysaga on one machine, for development and tests",
			WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		var exists *serviceerror.NamespaceAlreadyExists
		if err != nil && !errors.As(err, &exists) {
			return err
		}
		_, err = service.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
		return err
	})
}

// addSearchAttributes registers those that are missing and reports whether there were any.
func addSearchAttributes(ctx context.Context, service operatorservice.OperatorServiceClient, namespace string) (added bool, err error) {
	err = retry(ctx, func(ctx context.Context) error {
		known, err := service.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
		if err != nil {
			return err
		}
		missing := map[string]enumspb.IndexedValueType{}
		for name, kind := range searchAttributes {
			if has, ok := known.GetCustomAttributes()[name]; ok && has != kind {
				return permanent{fmt.Errorf("%s is registered as %s, but %s is needed: choose another --namespace or --state", name, has, kind)}
			} else if !ok {
				missing[name] = kind
			}
		}
		if len(missing) == 0 {
			return nil
		}
		added = true
		_, err = service.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
		return err
	})
	return added, err
}

// permanent marks an error that waiting cannot mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// retry repeats a call while the server is getting ready, at most half a
// minute. It returns the last error as the call gave it.
func retry(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var last error
	for {
		err := call(ctx)
		if err == nil {
			return nil
		}
		var stop permanent
		if errors.As(err, &stop) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err // what the server said, not that time was up
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(50 * time.Millisecond):
		}
	}
}
