package localsts

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Hook sees a request before it is judged. It answers by itself and returns true, or returns false.
type Hook func(w http.ResponseWriter, r *http.Request, action string) (answered bool)

// Hooks calls one after the other until one has answered.
func Hooks(list ...Hook) Hook {
	return func(w http.ResponseWriter, r *http.Request, action string) bool {
		for _, h := range list {
			if h(w, r, action) {
				return true
			}
		}
		return false
	}
}

// On limits a hook to one action.
func On(action string, h Hook) Hook {
	return func(w http.ResponseWriter, r *http.Request, a string) bool { return a == action && h(w, r, a) }
}

// First limits a hook to the first n requests that reach it.
func First(n int, h Hook) Hook {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, a string) bool {
		return seen.Add(1) <= int64(n) && h(w, r, a)
	}
}

// Latency waits before the request goes on, or until the client gives up.
func Latency(d time.Duration) Hook {
	return func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		ctx, cancel := context.WithTimeout(r.Context(), d)
		defer cancel()
		<-ctx.Done()
		return false
	}
}

// Fail answers with an error of AWS's form.
func Fail(status int, code, message string) Hook {
	return func(w http.ResponseWriter, r *http.Request, a string) bool {
		writeError(w, &call{id: requestID(), service: "sts", action: a, now: time.Now()}, &apiError{status, code, message})
		return true
	}
}

// Throttle answers as STS does when it is called too often.
func Throttle() Hook { return Fail(http.StatusBadRequest, "Throttling", "Rate exceeded") }

// Unavailable answers with a 503.
func Unavailable() Hook {
	return Fail(http.StatusServiceUnavailable, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
}

// Garbage answers with a status and a body as they stand, as a broken proxy might.
func Garbage(status int, body string) Hook {
	return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body)) // the client may be gone
		return true
	}
}

// Drop breaks the connection without an answer.
func Drop() Hook {
	return func(http.ResponseWriter, *http.Request, string) bool { panic(http.ErrAbortHandler) }
}

// Cut promises an answer and breaks off in the middle of it.
func Cut() Hook {
	return func(w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.Header().Set("Content-Length", "4096")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("<AssumeRoleResponse")) // the client may be gone
		panic(http.ErrAbortHandler)
	}
}
