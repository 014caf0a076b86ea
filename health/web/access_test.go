package web_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tickstock/tickstream/health/web"
	"github.com/tickstock/tickstream/pipeline/event"
	"github.com/tickstock/tickstream/pipeline/testbed"
)

const token = "0123456789abcdef-hunter2"

func TestOffLoopbackSomethingIsAskedFor(t *testing.T) {
	for address, open := range map[string]bool{
		"0.0.0.0:8080": true, ":8080": true, "[::]:8080": true, "192.168.1.7:8080": true, "dash.example.com:8080": true,
		"127.0.0.1:8080": false, "127.0.0.2:8080": false, "[::1]:8080": false, "localhost:8080": false, "[::ffff:127.0.0.1]:8080": false,
	} {
		if err := (web.Config{Address: address}).Validate(); errors.Is(err, web.ErrOpen) != open || !open && err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if err := (web.Config{Address: address, Token: token}).Validate(); err != nil {
			t.Errorf("%s with a token: %v", address, err)
		}
		if err := (web.Config{Address: address, TLS: &tls.Config{}, ClientCertificates: true}).Validate(); err != nil {
			t.Errorf("%s with client certificates: %v", address, err)
		}
	}
	for _, cfg := range []web.Config{{Token: "short"}, {ClientCertificates: true}} {
		if err := cfg.Validate(); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

// do sends a request and does not follow where it leads.
func do(t *testing.T, client *http.Client, method, url string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(request)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestTokenIsAskedFor(t *testing.T) {
	source := &shelf{}
	source.put(snapshot(t, event.StatusHealthy, time.Now()))
	url := "http://" + serve(t, source, web.Config{Address: "127.0.0.1:0", Token: token}).Addr()
	bearer := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	for name, c := range map[string]struct {
		path   string
		change func(*http.Request)
		want   int
	}{
		"nothing":            {"/", nil, 401},
		"the event":          {"/health", nil, 401},
		"the style":          {"/style.css", nil, 401},
		"what is not there":  {"/nothing", nil, 401},
		"a probe":            {"/healthz", nil, 200},
		"the other probe":    {"/readyz", nil, 200},
		"beside a probe":     {"/healthz/", nil, 401},
		"the token":          {"/health", bearer("Bearer " + token), 200},
		"in small letters":   {"/", bearer("bearer " + token), 200},
		"a wrong one":        {"/", bearer("Bearer 0123456789abcdef-hunter3"), 401},
		"a part of it":       {"/", bearer("Bearer 0123456789abcdef"), 401},
		"an empty one":       {"/", bearer("Bearer "), 401},
		"as a password":      {"/", func(r *http.Request) { r.SetBasicAuth("x", token) }, 401},
		"a wrong address":    {"/?token=wrong", nil, 401},
		"a made-up session":  {"/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "tickstream", Value: "99999999999.00"}) }, 401},
		"the token as one":   {"/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "tickstream", Value: token}) }, 401},
		"an empty signature": {"/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "tickstream", Value: "99999999999."}) }, 401},
	} {
		response, body := do(t, &http.Client{}, http.MethodGet, url+c.path, c.change)
		if response.StatusCode != c.want {
			t.Errorf("%s: %d %q, want %d", name, response.StatusCode, body, c.want)
		}
		if c.want == 401 && response.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: what is asked for is not said", name)
		}
		if strings.Contains(body, "hunter") {
			t.Errorf("%s: the answer holds the token", name)
		}
	}
}

func TestBrowserSignsIn(t *testing.T) {
	source := &shelf{}
	source.put(snapshot(t, event.StatusHealthy, time.Now()))
	base := "http://" + serve(t, source, web.Config{Address: "127.0.0.1:0", Token: token}).Addr()
	html := func(r *http.Request) { r.Header.Set("Accept", "text/html,*/*") }
	form := func(value string) func(*http.Request) {
		return func(r *http.Request) {
			html(r)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body = io.NopCloser(strings.NewReader(url.Values{"token": {value}}.Encode()))
		}
	}
	browser := func() *http.Client {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Client{Jar: jar}
	}
	client := browser()
	response, body := do(t, client, http.MethodGet, base+"/", html)
	if response.StatusCode != 401 || !strings.Contains(body, `action="/login"`) || !strings.Contains(response.Header.Get("Content-Security-Policy"), "form-action 'self'") {
		t.Errorf("a browser is not shown the form: %d %s", response.StatusCode, body)
	}
	if response, _ = do(t, client, http.MethodPost, base+"/login", form("wrong")); response.StatusCode != 401 || len(response.Cookies()) > 0 {
		t.Errorf("a wrong token: %d, %v", response.StatusCode, response.Cookies())
	}
	if response, _ = do(t, client, http.MethodPost, base+"/login", form(strings.Repeat("x", 1<<20)+token)); response.StatusCode != 401 {
		t.Errorf("a form of a megabyte: %d", response.StatusCode)
	}
	response, _ = do(t, client, http.MethodPost, base+"/login", form(token))
	if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "/" || len(response.Cookies()) != 1 {
		t.Fatalf("the token: %d, %v", response.StatusCode, response.Header)
	}
	if c := response.Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || strings.Contains(c.Value, token) {
		t.Errorf("the session is %v", c)
	}
	if response, body = do(t, client, http.MethodGet, base+"/", html); response.StatusCode != 200 || strings.Contains(body, `action="/login"`) {
		t.Errorf("with the session: %d", response.StatusCode)
	}

	client = browser()
	response, _ = do(t, client, http.MethodGet, base+"//evil.example/x?a=1&token="+token, html)
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || got != "/evil.example/x?a=1" {
		t.Errorf("a token in the address leads to %q", got)
	}
	if response, _ = do(t, client, http.MethodGet, base+"/health", nil); response.StatusCode != 200 {
		t.Errorf("with the session of an address: %d", response.StatusCode)
	}

	other := "http://" + serve(t, source, web.Config{Address: "127.0.0.1:0", Token: token + "2"}).Addr()
	if response, _ = do(t, client, http.MethodGet, other+"/health", nil); response.StatusCode != 401 {
		t.Errorf("a session outlives its token: %d", response.StatusCode)
	}
}

// A page of somebody else's can neither write nor read by way of a browser.
func TestOtherOriginsAreRefused(t *testing.T) {
	open := "http://" + serve(t, &shelf{}, web.Config{Address: "127.0.0.1:0"}).Addr()
	guarded := "http://" + serve(t, &shelf{}, web.Config{Address: "127.0.0.1:0", Token: token}).Addr()
	for _, base := range []string{open, guarded} {
		for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
			response, _ := do(t, &http.Client{}, http.MethodPost, base+"/login", func(r *http.Request) { r.Header.Set(name, value) })
			if response.StatusCode != http.StatusForbidden {
				t.Errorf("POST with %s: %s is answered by %d", name, value, response.StatusCode)
			}
		}
	}
	for host, want := range map[string]int{"evil.example": 403, "evil.example:8080": 403, "localhost:1": 200, "[::1]:1": 200, "x.localhost": 200, "": 200} {
		response, _ := do(t, &http.Client{}, http.MethodGet, open+"/style.css", func(r *http.Request) { r.Host = host })
		if response.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, response.StatusCode, want)
		}
	}
}

func TestHTTPSWithClientCertificates(t *testing.T) {
	source := &shelf{}
	source.put(snapshot(t, event.StatusHealthy, time.Now()))
	authority, stranger := testbed.NewAuthority(t), testbed.NewAuthority(t)
	cfg := authority.Server(authority.Issue("server"), false)
	cfg.ClientAuth, cfg.ClientCAs = tls.VerifyClientCertIfGiven, authority.Pool
	server := serve(t, source, web.Config{Address: "127.0.0.1:0", TLS: cfg, ClientCertificates: true})
	if !strings.HasPrefix(server.URL(), "https://") {
		t.Errorf("URL is %s", server.URL())
	}
	client := func(pair *testbed.Pair) *http.Client {
		c := &tls.Config{RootCAs: authority.Pool}
		if pair != nil {
			certificate, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
			if err != nil {
				t.Fatal(err)
			}
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }
		}
		transport := &http.Transport{TLSClientConfig: c}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}
	known, unknown := authority.Issue("client"), stranger.Issue("stranger")
	if response, _ := do(t, client(&known), http.MethodGet, server.URL()+"health", nil); response.StatusCode != 200 {
		t.Errorf("a client with a certificate: %d", response.StatusCode)
	}
	if response, _ := do(t, client(nil), http.MethodGet, server.URL()+"health", nil); response.StatusCode != 401 {
		t.Errorf("a client without: %d", response.StatusCode)
	}
	if response, _ := do(t, client(nil), http.MethodGet, server.URL()+"healthz", nil); response.StatusCode != 200 {
		t.Errorf("a probe: %d", response.StatusCode)
	}
	if response, err := client(&unknown).Get(server.URL() + "healthz"); err == nil {
		response.Body.Close()
		t.Error("a certificate of another authority is taken")
	}
}

// A client that sends its header byte by byte, or not at all, is cut off.
func TestSlowClientsAreCutOff(t *testing.T) {
	server := serve(t, &shelf{}, web.Config{Address: "127.0.0.1:0", HeaderTimeout: 50 * time.Millisecond, MaxConnections: 2})
	for range 4 { // twice as many as are served at once
		conn, err := net.Dial("tcp", server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL()+"style.css", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("slow clients keep others out: %v", err)
	}
	response.Body.Close()
}

func TestLongHeadersAreRefused(t *testing.T) {
	server := serve(t, &shelf{}, web.Config{Address: "127.0.0.1:0"})
	conn, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The server may answer and close before it has read all.
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil && !strings.Contains(err.Error(), "reset") || err == nil && !strings.Contains(line, "431") {
		t.Errorf("%q, %v", line, err)
	}
}
