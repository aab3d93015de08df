package workers

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"paysaga/workflows"
)

// NewReplayer replays histories against this build's sagas, registered and
// intercepted as they run (I-27).
func NewReplayer() (worker.WorkflowReplayer, error) {
	r, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{
		Interceptors:                []interceptor.WorkerInterceptor{&workflows.Strict{}},
		DisableRegistrationAliasing: true,
	})
	if err != nil {
		return nil, err
	}
	registerSagas(r)
	return r, nil
}
