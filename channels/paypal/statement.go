package paypal

// StatementSettlement is PayPal's settlement report (STL), which comes over SFTP and not over the API.
const StatementSettlement = "settlement"
