package iamread

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// iam calls an action of IAM's query API and reads its result, the element ACTIONResult.
func (c *Client) iam(ctx context.Context, action string, params url.Values, into any) error {
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for k, v := range params {
		form[k] = v
	}
	body, err := c.send(ctx, request{
		service: "iam", action: "iam:" + action, endpoint: c.IAM, body: []byte(form.Encode()),
		headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
	})
	if err != nil {
		return err
	}
	if err := xmlResult(body, action+"Result", into); err != nil {
		return fmt.Errorf("iam:%s: reading the answer: %w", action, err)
	}
	return nil
}

func xmlResult(body []byte, name string, into any) error {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := dec.Token()
		if err != nil {
			return errors.New("it has no " + name)
		}
		if start, ok := t.(xml.StartElement); ok && start.Name.Local == name {
			return dec.DecodeElement(into, &start)
		}
	}
}

// organizations calls an action of the Organizations API (JSON 1.1).
func (c *Client) organizations(ctx context.Context, action string, params, into any) error {
	body, err := json.Marshal(params)
	if err != nil {
		return err
	}
	answer, err := c.send(ctx, request{
		service: "organizations", action: "organizations:" + action, endpoint: c.Organizations, body: body,
		headers: map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AWSOrganizationsV20161128." + action},
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("organizations:%s: reading the answer: %w", action, err)
	}
	return nil
}

// apiError reads an error document, XML or JSON.
func apiError(action string, status int, body []byte) error {
	e := &APIError{Action: action, Status: status}
	var x struct {
		Error struct{ Code, Message string }
	}
	var j struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
		Other   string `json:"Message"`
	}
	switch {
	case xml.Unmarshal(body, &x) == nil && x.Error.Code != "":
		e.Code, e.Message = x.Error.Code, x.Error.Message
	case json.Unmarshal(body, &j) == nil && j.Type != "":
		e.Code = j.Type[strings.LastIndexByte(j.Type, '#')+1:]
		if e.Message = j.Message; e.Message == "" {
			e.Message = j.Other
		}
	}
	return e
}
