package assume

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		date string
		want time.Duration
		err  error
	}{
		"right":  {now.Format(http.TimeFormat), 0, nil},
		"ahead":  {now.Add(-10 * time.Minute).Format(http.TimeFormat), 10 * time.Minute, nil},
		"behind": {now.Add(time.Hour).Format(http.TimeFormat), -time.Hour, nil},
		"silent": {"yesterday", 0, ErrNoTime},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Error("credentials were sent")
			}
			w.Header().Set("Date", tt.date)
			w.WriteHeader(http.StatusForbidden)
		}))
		ahead, endpoint, err := Clock(t.Context(), Where{Region: "eu-west-1", Endpoint: server.URL}, func() time.Time { return now })
		if off := ahead - tt.want; off < -time.Second || off > time.Second || !errors.Is(err, tt.err) || endpoint != server.URL {
			t.Errorf("%s: %s ahead of %s, %v; want %s, %v", name, ahead, endpoint, err, tt.want, tt.err)
		}
		server.Close()
	}
}
