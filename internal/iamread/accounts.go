package iamread

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Account is a member of an organization.
type Account struct {
	ID   string `json:"Id"`
	ARN  string `json:"Arn"`
	Name string `json:"Name"`
	// Status is ACTIVE, SUSPENDED or PENDING_CLOSURE.
	Status string `json:"Status"`
}

// Accounts lists an organization's accounts, or those below one OU or root (ou-…, r-…) at any depth: all of them, or an error.
// The caller needs organizations:ListAccounts, or ListAccountsForParent and ListOrganizationalUnitsForParent.
// Source: AWS Organizations API reference.
func (c *Client) Accounts(ctx context.Context, parent string) ([]Account, error) {
	var (
		list []Account
		err  error
	)
	if parent == "" {
		list, err = pages[Account](ctx, c, "ListAccounts", nil, "Accounts")
	} else {
		list, err = c.below(ctx, parent, map[string]bool{})
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{} // one that was moved meanwhile is there twice
	return slices.DeleteFunc(list, func(a Account) bool {
		again := seen[a.ID]
		seen[a.ID] = true
		return again
	}), nil
}

// below walks the tree of OUs. seen keeps a lying server from sending us round.
func (c *Client) below(ctx context.Context, parent string, seen map[string]bool) ([]Account, error) {
	if seen[parent] {
		return nil, nil
	}
	seen[parent] = true
	in := map[string]string{"ParentId": parent}
	list, err := pages[Account](ctx, c, "ListAccountsForParent", in, "Accounts")
	if err != nil {
		return nil, err
	}
	units, err := pages[struct{ ID string }](ctx, c, "ListOrganizationalUnitsForParent", in, "OrganizationalUnits")
	if err != nil {
		return nil, err
	}
	for _, unit := range units {
		more, err := c.below(ctx, unit.ID, seen)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// organizationPages bounds what a server may send: 20 accounts a page at the least.
const organizationPages = 10000

// pages follows NextToken to the end. An empty page is not the end.
func pages[T any](ctx context.Context, c *Client, action string, in map[string]string, field string) ([]T, error) {
	var list []T
	token, seen := "", map[string]bool{}
	broken := func(why string) ([]T, error) { return nil, fmt.Errorf("organizations:%s: the answer %s", action, why) }
	for range organizationPages {
		body := map[string]string{}
		maps.Copy(body, in)
		if token != "" {
			body["NextToken"] = token
		}
		answer := map[string]json.RawMessage{}
		if err := c.organizations(ctx, action, body, &answer); err != nil {
			return nil, err
		}
		var page []T
		if raw, ok := answer[field]; ok && json.Unmarshal(raw, &page) != nil {
			return broken("has a part that can't be read: " + field)
		}
		list = append(list, page...)
		next := ""
		if raw, ok := answer["NextToken"]; ok && json.Unmarshal(raw, &next) != nil { // null is none
			return broken("has a part that can't be read: NextToken")
		}
		if next == "" {
			return list, nil
		}
		if seen[next] {
			return broken("goes round in a circle")
		}
		seen[next], token = true, next
	}
	return broken("has no end")
}
