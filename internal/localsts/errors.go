package localsts

import (
	"fmt"
	"net/http"
)

// apiError is a refusal as AWS words it: a code, a status and a message.
type apiError struct {
	Status  int
	Code    string
	Message string
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func badRequest(code, format string, a ...any) *apiError {
	return &apiError{http.StatusBadRequest, code, fmt.Sprintf(format, a...)}
}

func forbidden(code, format string, a ...any) *apiError {
	return &apiError{http.StatusForbidden, code, fmt.Sprintf(format, a...)}
}

func accessDenied(format string, a ...any) *apiError {
	return forbidden("AccessDenied", format, a...)
}

func validationError(format string, a ...any) *apiError {
	return badRequest("ValidationError", format, a...)
}

// internalFailure hides what went wrong inside; the server's own log has it.
func internalFailure() *apiError {
	return &apiError{
		http.StatusInternalServerError, "InternalFailure",
		"The request processing has failed because of an unknown error, exception or failure.",
	}
}

// The messages of the signature checks, as STS words them.
const (
	msgInvalidToken   = "The security token included in the request is invalid."
	msgExpiredToken   = "The security token included in the request is expired"
	msgBadSignature   = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
	msgMissingToken   = "Request is missing Authentication Token"
	msgHostNotSigned  = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
	msgMFAInvalidCode = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
	msgMFAUnknown     = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
	msgMFABoth        = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
)
