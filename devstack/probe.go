package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	commandpb "go.temporal.io/api/command/v1"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/durationpb"
)

// A search attribute is known to each of the server's services at its own time,
// and no call tells when. So one workflow uses them all, once per new set: a
// start is judged by the frontend, a change by the history service.
const probeName = "devstack-probe"

func proveSearchAttributes(ctx context.Context, service workflowservice.WorkflowServiceClient, namespace string) error {
	fields, err := probeValues()
	if err != nil {
		return err
	}
	p := probe{service: service, namespace: namespace, fields: fields}
	if err := retry(ctx, p.run); err != nil {
		return fmt.Errorf("search attributes do not become usable: %w", err)
	}
	return p.clean(ctx)
}

type probe struct {
	service   workflowservice.WorkflowServiceClient
	namespace string
	fields    map[string]*commonpb.Payload
	runID     string
}

func probeValues() (map[string]*commonpb.Payload, error) {
	sample := map[enumspb.IndexedValueType]any{
		enumspb.INDEXED_VALUE_TYPE_KEYWORD: "probe",
		enumspb.INDEXED_VALUE_TYPE_BOOL:    false,
		enumspb.INDEXED_VALUE_TYPE_INT:     int64(0),
	}
	fields := map[string]*commonpb.Payload{}
	for name, kind := range searchAttributes {
		payload, err := converter.GetDefaultDataConverter().ToPayload(sample[kind])
		if err != nil {
			return nil, err
		}
		payload.Metadata["type"] = []byte(kind.String())
		fields[name] = payload
	}
	return fields, nil
}

// run starts the workflow, and ends it with a change of all attributes.
func (p *probe) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	queue := &taskqueuepb.TaskQueue{Name: probeName, Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
	started, err := p.service.StartWorkflowExecution(ctx, &workflowservice.StartWorkflowExecutionRequest{
		Namespace: p.namespace, WorkflowId: probeName, RequestId: fmt.Sprint(time.Now().UnixNano()), Identity: probeName,
		WorkflowType: &commonpb.WorkflowType{Name: probeName}, TaskQueue: queue,
		WorkflowRunTimeout:       durationpb.New(time.Minute),
		WorkflowIdReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIdConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
		SearchAttributes:         &commonpb.SearchAttributes{IndexedFields: p.fields},
	})
	if err != nil {
		return err
	}
	p.runID = started.GetRunId()
	task, err := p.service.PollWorkflowTaskQueue(ctx, &workflowservice.PollWorkflowTaskQueueRequest{
		Namespace: p.namespace, TaskQueue: queue, Identity: probeName,
	})
	if err != nil {
		return err
	}
	if len(task.GetTaskToken()) == 0 || task.GetWorkflowExecution().GetRunId() != p.runID {
		return errors.New("got no task for the probe yet")
	}
	_, err = p.service.RespondWorkflowTaskCompleted(ctx, &workflowservice.RespondWorkflowTaskCompletedRequest{
		Namespace: p.namespace, TaskToken: task.GetTaskToken(), Identity: probeName,
		Commands: []*commandpb.Command{{
			CommandType: enumspb.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
			Attributes: &commandpb.Command_UpsertWorkflowSearchAttributesCommandAttributes{
				UpsertWorkflowSearchAttributesCommandAttributes: &commandpb.UpsertWorkflowSearchAttributesCommandAttributes{
					SearchAttributes: &commonpb.SearchAttributes{IndexedFields: p.fields},
				},
			},
		}, {
			CommandType: enumspb.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
			Attributes: &commandpb.Command_CompleteWorkflowExecutionCommandAttributes{
				CompleteWorkflowExecutionCommandAttributes: &commandpb.CompleteWorkflowExecutionCommandAttributes{},
			},
		}},
	})
	return err
}

// clean deletes the probe's last run, so that the Web UI starts empty.
func (p *probe) clean(ctx context.Context) error {
	_, err := p.service.DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace:         p.namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: probeName, RunId: p.runID},
	})
	if err != nil {
		return fmt.Errorf("cannot delete the probe workflow: %w", err)
	}
	return nil
}
