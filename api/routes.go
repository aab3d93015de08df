package api

import (
	"slices"

	"github.com/labstack/echo/v4"

	"paysaga/domain/access"
	"paysaga/domain/fault"
)

// operation is what holds for every call of one operation of openapi.yaml.
type operation struct {
	scope access.Scope // empty: open to everyone
	// key: an Idempotency-Key is required, and a merchant to act for.
	key bool
	// merchant: one merchant's business, which an operator has to name.
	merchant bool
	// user: a user who is logged in may call it, about what is theirs (caller.owns).
	user  bool
	query []string // the query parameters it knows
	// values judges query parameters that mean something else here than elsewhere.
	values map[string]func(string) bool
	// anyone: an operator's key needn't name a merchant all the same.
	anyone bool
	// after judges what starting_after names; nil: a payment's id.
	after func(string) bool
	anyQ  bool // the query is somebody else's business: the channel's, the browser's
}

// operations has an entry for each operationId, and no other; a test holds it against openapi.yaml.
var operations = map[string]operation{
	"createPayment":      {scope: access.PaymentsWrite, key: true},
	"listPayments":       {scope: access.PaymentsRead, query: []string{"status", "order_id", "channel", "created_from", "created_before", "limit", "starting_after"}},
	"getPayment":         {scope: access.PaymentsRead},
	"cancelPayment":      {scope: access.PaymentsWrite, key: true},
	"capturePayment":     {scope: access.PaymentsWrite, key: true},
	"listCaptures":       {scope: access.PaymentsRead},
	"getPaymentTimeline": {scope: access.PaymentsRead},
	"createRefund":       {scope: access.RefundsWrite, key: true},
	"listPaymentRefunds": {scope: access.RefundsRead, query: []string{"status", "created_from", "created_before", "limit", "starting_after"}, after: isRefund, values: refundValues},
	"listRefunds":        {scope: access.RefundsRead, query: []string{"payment_id", "status", "created_from", "created_before", "limit", "starting_after"}, after: isRefund, values: refundValues},
	"getRefund":          {scope: access.RefundsRead},
	"listDisputes": {scope: access.DisputesRead, query: []string{"payment_id", "status", "limit", "starting_after"}, after: isDispute,
		values: map[string]func(string) bool{"status": isDisputeStatus, "payment_id": refundValues["payment_id"]}},
	"getDispute":        {scope: access.DisputesRead},
	"createTopUp":       {scope: access.TopUpsWrite, key: true, user: true},
	"listTopUps":        {scope: access.TopUpsRead, user: true, query: []string{"user_id", "status", "channel", "created_from", "created_before", "limit", "starting_after"}, after: isTopUp, values: map[string]func(string) bool{"user_id": isUser}},
	"getTopUp":          {scope: access.TopUpsRead, user: true},
	"cancelTopUp":       {scope: access.TopUpsWrite, key: true, user: true},
	"getTopUpTimeline":  {scope: access.TopUpsRead},
	"createTopUpRefund": {scope: access.RefundsWrite, key: true},
	"listTopUpRefunds":  {scope: access.RefundsRead, query: []string{"status", "created_from", "created_before", "limit", "starting_after"}, after: isRefund, values: refundValues},
	"createTransfer":    {scope: access.TransfersWrite, key: true, user: true},
	"listTransfers":     {scope: access.TransfersRead, user: true, query: []string{"user_id", "status", "created_from", "created_before", "limit", "starting_after"}, after: isTransfer, values: transferValues},
	"getTransfer":       {scope: access.TransfersRead, user: true},
	"createOrder":       {scope: access.OrdersWrite, key: true},
	"getOrder":          {scope: access.OrdersRead},
	"confirmReceipt":    {scope: access.OrdersWrite, user: true},
	"listCases":         {scope: access.CasesRead, query: []string{"status", "kind", "payment_id", "limit", "starting_after"}, after: isCase, values: map[string]func(string) bool{"status": isCaseStatus}},
	"getCase":           {scope: access.CasesRead},
	"resolveCase":       {scope: access.CasesWrite, key: true, anyone: true},
	"listAccounts":      {scope: access.LedgerRead, query: []string{"code", "currency", "limit", "starting_after"}, after: isAccount},
	"getAccount":        {scope: access.LedgerRead},
	"getAccountBalance": {scope: access.LedgerRead, query: []string{"at", "by"}},
	"listEntries":       {scope: access.LedgerRead, query: []string{"from", "to", "limit", "starting_after"}, after: isCause},
	"getJournal":        {scope: access.LedgerRead},
	"getTrialBalance":   {scope: access.LedgerRead, query: []string{"at", "currency"}},

	"createPayout": {scope: access.PayoutsWrite, key: true, user: true},
	"listPayouts": {scope: access.PayoutsRead, user: true, query: []string{"user_id", "status", "created_from", "created_before", "limit", "starting_after"},
		after: isPayout, values: payoutValues},
	"getPayout": {scope: access.PayoutsRead, user: true},

	"createWebhookEndpoint": {scope: access.WebhooksWrite, merchant: true},
	"listWebhookEndpoints":  {scope: access.WebhooksRead, merchant: true},
	"getWebhookEndpoint":    {scope: access.WebhooksRead, merchant: true},
	"changeWebhookEndpoint": {scope: access.WebhooksWrite, merchant: true},
	"deleteWebhookEndpoint": {scope: access.WebhooksWrite, merchant: true},
	"rotateWebhookSecret":   {scope: access.WebhooksWrite, merchant: true},
	"testWebhookEndpoint":   {scope: access.WebhooksWrite, merchant: true},
	"redeliverWebhooks":     {scope: access.WebhooksWrite, merchant: true},
	"listEvents": {scope: access.EventsRead, merchant: true, query: []string{"type", "object_id", "created_from", "created_before", "limit", "starting_after"},
		after: isEvent, values: map[string]func(string) bool{"type": eventFilter, "object_id": isObject}},
	"getEvent": {scope: access.EventsRead, merchant: true},
	"listWebhookDeliveries": {scope: access.WebhooksRead, merchant: true, query: []string{"endpoint_id", "event_id", "status", "limit", "starting_after"},
		after: isDelivery, values: map[string]func(string) bool{"endpoint_id": isEndpoint, "event_id": isEvent, "status": isDeliveryStatus}},
	"getWebhookDelivery": {scope: access.WebhooksRead, merchant: true},
	"redeliverWebhook":   {scope: access.WebhooksWrite, merchant: true},

	"saveRoutingRules":     {scope: access.RoutingWrite},
	"listRoutingRules":     {scope: access.RoutingRead, query: []string{"limit", "starting_after"}, after: isVersion},
	"getRoutingRules":      {scope: access.RoutingRead},
	"activateRoutingRules": {scope: access.RoutingWrite},
	"simulateRouting":      {scope: access.RoutingRead},
	"saveRiskRules":        {scope: access.RiskWrite},
	"listRiskRules":        {scope: access.RiskRead, query: []string{"limit", "starting_after"}, after: isVersion},
	"getRiskRules":         {scope: access.RiskRead},
	"activateRiskRules":    {scope: access.RiskWrite},
	"simulateRisk":         {scope: access.RiskRead},
	"addRiskEntry":         {scope: access.RiskWrite},
	"listRiskEntries": {scope: access.RiskRead, query: []string{"kind", "limit", "starting_after"}, after: isRiskEntry,
		values: map[string]func(string) bool{"kind": isListKind}},
	"removeRiskEntry": {scope: access.RiskWrite},
	"reviewPayment":   {scope: access.RiskReview},

	"resendNotification":  {scope: access.NotificationsWrite, key: true, merchant: true},
	"resendNotifications": {scope: access.NotificationsWrite, key: true, merchant: true},
	"listNotifications": {scope: access.NotificationsRead, merchant: true, query: []string{"user_id", "status", "medium", "limit", "starting_after"},
		after: isNotice, values: map[string]func(string) bool{"user_id": isUser, "status": isNoticeState, "medium": isNoticeMedium}},
	"listUserNotifications": {scope: access.NotificationsRead, merchant: true, user: true, query: []string{"status", "medium", "limit", "starting_after"},
		after: isNotice, values: map[string]func(string) bool{"status": isNoticeState, "medium": isNoticeMedium}},
	"getNotificationSettings": {scope: access.NotificationsRead, merchant: true},
	"putNotificationSettings": {scope: access.NotificationsWrite, merchant: true},
	"createCampaign":          {scope: access.CampaignsWrite, key: true},
	"listCampaigns": {scope: access.CampaignsRead, query: []string{"status", "limit", "starting_after"}, after: isCampaign,
		values: map[string]func(string) bool{"status": isCampaignStatus}},
	"getCampaign":             {scope: access.CampaignsRead},
	"changeCampaign":          {scope: access.CampaignsWrite},
	"pauseCampaign":           {scope: access.CampaignsWrite},
	"resumeCampaign":          {scope: access.CampaignsWrite},
	"endCampaign":             {scope: access.CampaignsWrite},
	"saveCampaignVersion":     {scope: access.CampaignsWrite},
	"listCampaignVersions":    {scope: access.CampaignsRead, query: []string{"limit", "starting_after"}, after: isVersion},
	"getCampaignVersion":      {scope: access.CampaignsRead},
	"activateCampaignVersion": {scope: access.CampaignsWrite},
	"fundCampaign":            {scope: access.CampaignsWrite, key: true},
	"defundCampaign":          {scope: access.CampaignsWrite, key: true},
	"listCampaignFundings":    {scope: access.CampaignsRead, query: []string{"limit", "starting_after"}, after: isFunding},
	"getCampaignSpend":        {scope: access.CampaignsRead},
	"simulateCampaign":        {scope: access.CampaignsRead},
	"rerateCampaign":          {scope: access.CampaignsWrite, key: true},
	"simulateRebates":         {scope: access.CampaignsRead},
	"getRerating":             {scope: access.CampaignsRead},
	"listReratings": {scope: access.CampaignsRead, query: []string{"campaign_id", "status", "limit", "starting_after"},
		after: isRerating, values: map[string]func(string) bool{"campaign_id": isCampaignID, "status": isReratingStatus}},
	"cancelRerating": {scope: access.CampaignsWrite},

	"createUser":          {scope: access.UsersWrite, merchant: true},
	"listUsers":           {scope: access.UsersRead, query: []string{"status", "reference", "referrer", "limit", "starting_after"}, after: isUser, values: userValues},
	"getUser":             {scope: access.UsersRead, user: true},
	"changeUser":          {scope: access.UsersWrite, user: true},
	"freezeUser":          {scope: access.UsersWrite},
	"unfreezeUser":        {scope: access.UsersWrite},
	"closeUser":           {scope: access.UsersWrite},
	"eraseUser":           {scope: access.UsersWrite},
	"setUserCredentials":  {scope: access.UsersWrite},
	"listWallets":         {scope: access.WalletsRead, user: true},
	"getWalletHistory":    {scope: access.WalletsRead, user: true, query: []string{"from", "to", "limit", "starting_after"}, after: isCause},
	"exportWalletHistory": {scope: access.WalletsRead, user: true, query: []string{"from", "to"}},
	"addDestination":      {scope: access.PayoutsWrite, user: true},
	"getRebateStatement": {scope: access.RebatesRead, user: true, query: []string{"status", "campaign_id", "limit", "starting_after"}, after: isRebate,
		values: map[string]func(string) bool{"campaign_id": isCampaignID, "status": isRebateStatus}},
	"exportRebateStatement": {scope: access.RebatesRead, user: true, query: []string{"status", "campaign_id"},
		values: map[string]func(string) bool{"campaign_id": isCampaignID, "status": isRebateStatus}},
	"listDestinations":   {scope: access.PayoutsRead, user: true},
	"removeDestination":  {scope: access.PayoutsWrite, user: true},
	"registerUser":       {},
	"logInUser":          {},
	"refreshUserSession": {},
	"logOutUser":         {},
	"changeUserPassword": {scope: access.UsersWrite, user: true},

	"listRebates": {scope: access.RebatesRead, user: true, query: []string{"user_id", "order_id", "campaign_id", "status", "limit", "starting_after"},
		after: isRebate, values: map[string]func(string) bool{"user_id": isUser, "order_id": isOrderID, "campaign_id": isCampaignID, "status": isRebateStatus}},
	"getRebate":        {scope: access.RebatesRead, user: true},
	"createSettlement": {scope: access.RebatesWrite, key: true},
	"listSettlements": {scope: access.RebatesRead, query: []string{"campaign_id", "status", "limit", "starting_after"},
		after: isSettlement, values: map[string]func(string) bool{"campaign_id": isCampaignID, "status": isRunStatus}},
	"getSettlement":    {scope: access.RebatesRead},
	"pauseSettlement":  {scope: access.RebatesWrite},
	"resumeSettlement": {scope: access.RebatesWrite},
	"cancelSettlement": {scope: access.RebatesWrite},

	"receiveCallback":  {anyQ: true},
	"getHealth":        {anyQ: true},
	"getReadiness":     {anyQ: true},
	"getMetrics":       {anyQ: true},
	"getSpecification": {anyQ: true},
	"getReference":     {anyQ: true},
}

// guard keeps a request from its operation until caller, merchant, query and idempotency key are in order.
func (s *server) guard(op operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if op.scope != "" {
				if err := s.admit(c, op); err != nil {
					return err
				}
			}
			if !op.anyQ {
				if err := checkQuery(c, op); err != nil {
					return err
				}
			}
			if op.key {
				key, err := idempotencyKey(c.Request().Header)
				if err != nil {
					return err
				}
				c.Set(keyOfKey, key)
			}
			return next(c)
		}
	}
}

// checkQuery refuses what an operation doesn't know: a filter that is spelled wrong would list everything.
func checkQuery(c echo.Context, op operation) error {
	if c.Request().URL.RawQuery == "" {
		return nil
	}
	for name, values := range c.QueryParams() {
		if !slices.Contains(op.query, name) {
			return fault.Invalid("parameter_unknown", shortParam(name), "the operation has no such query parameter")
		}
		if len(values) != 1 {
			return fault.Invalid("parameter_repeated", name, "a query parameter is given once")
		}
	}
	return checkPage(c, op)
}
