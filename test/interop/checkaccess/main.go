// Asks a running Lockstep as a resource provider of Azure's would: with Microsoft's own client of the decision point,
// and tokens that Microsoft's own azidentity gets. Prints one JSON line a check.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/checkaccess-v2-go-sdk/client"
)

const (
	read  = "Contoso.Things/things/read"
	write = "Microsoft.MachineLearningServices/workspaces/delete"
	scope = "https://authorization.azure.net/.default"
)

var options = azcore.ClientOptions{Retry: policy.RetryOptions{MaxRetries: -1}}

func main() {
	url := os.Getenv("LOCKSTEP_URL")
	options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: url + "/"}
	credential, err := azidentity.NewClientSecretCredential(
		os.Getenv("TENANT_ID"), os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"),
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true},
	)
	must(err)
	endpoint := url + "/providers/Microsoft.Authorization/checkAccess?api-version=2021-06-01-preview"
	pdp, err := client.NewRemotePDPClient(endpoint, scope, credential, &options)
	must(err)
	workspace, asker := os.Getenv("WORKSPACE_ID"), os.Getenv("PRINCIPAL_ID")
	subject := func(id string) client.SubjectInfo {
		return client.SubjectInfo{Attributes: client.SubjectAttributes{ObjectId: id}}
	}
	ask := func(request client.AuthorizationRequest) (*client.AuthorizationDecisionResponse, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return pdp.CheckAccess(ctx, request)
	}
	one := func(request client.AuthorizationRequest) (client.AuthorizationDecision, error) {
		answer, err := ask(request)
		if err != nil {
			return client.AuthorizationDecision{}, err
		}
		if len(answer.Value) != len(request.Actions) || answer.NextLink != "" {
			return client.AuthorizationDecision{}, fmt.Errorf("%d answers to %d actions, next %q", len(answer.Value), len(request.Actions), answer.NextLink)
		}
		return answer.Value[0], nil
	}

	check("a question made of a token is answered, with the assignment that allows", func() error {
		token, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: []string{url + "/.default"}})
		if err != nil {
			return err
		}
		request, err := pdp.CreateAuthorizationRequest(workspace, []string{read}, token.Token)
		if err != nil {
			return err
		}
		decision, err := one(*request)
		if err != nil {
			return err
		}
		if decision.AccessDecision != client.Allowed || decision.ActionId != read || decision.TimeToLiveInMs <= 0 {
			return fmt.Errorf("%+v", decision)
		}
		if decision.RoleAssignment.PrincipalId != asker || decision.RoleAssignment.Id == "" || decision.RoleAssignment.RoleDefinitionId == "" {
			return fmt.Errorf("the assignment is %+v", decision.RoleAssignment)
		}
		return nil
	})

	check("what no role grants is not allowed, whatever groups the question tells", func() error {
		request := client.AuthorizationRequest{
			Subject:  subject(asker),
			Actions:  []client.ActionInfo{{Id: write}},
			Resource: client.ResourceInfo{Id: workspace},
		}
		request.Subject.Attributes.Groups = []string{os.Getenv("GROUP_ID")}
		request.Subject.Attributes.RoleTemplate = []string{"62e90394-69f5-4237-9190-012177145e10"}
		decision, err := one(request)
		return expect(decision, err, client.NotAllowed)
	})

	check("what a deny assignment forbids is denied, by its id", func() error {
		decision, err := one(client.AuthorizationRequest{
			Subject:  subject(asker),
			Actions:  []client.ActionInfo{{Id: read}},
			Resource: client.ResourceInfo{Id: os.Getenv("DENIED_ID")},
		})
		if err == nil && !strings.Contains(decision.DenyAssignment.Id, os.Getenv("DENY_ASSIGNMENT")) {
			return fmt.Errorf("the deny assignment is %+v", decision.DenyAssignment)
		}
		return expect(decision, err, client.Denied)
	})

	check("two hundred actions are answered at once, in their order", func() error {
		actions := make([]client.ActionInfo, 200)
		for i := range actions {
			actions[i].Id = fmt.Sprintf("Contoso.Things/things%d/read", i)
		}
		answer, err := ask(client.AuthorizationRequest{Subject: subject(asker), Actions: actions, Resource: client.ResourceInfo{Id: workspace}})
		if err != nil {
			return err
		}
		for i, decision := range answer.Value {
			if decision.ActionId != actions[i].Id || decision.AccessDecision != client.Allowed {
				return fmt.Errorf("answer %d is %+v", i, decision)
			}
		}
		if len(answer.Value) != len(actions) || answer.NextLink != "" {
			return fmt.Errorf("%d answers, next %q", len(answer.Value), answer.NextLink)
		}
		return nil
	})

	conditional := func(purpose string, at string) client.AuthorizationRequest {
		return client.AuthorizationRequest{
			Subject:  subject(os.Getenv("CONDITIONAL_PRINCIPAL")),
			Actions:  []client.ActionInfo{{Id: "Contoso.Things/things/use/action", IsDataAction: true}},
			Resource: client.ResourceInfo{Id: at, Attributes: client.Attributes{"Contoso.Things/things:purpose": purpose}},
		}
	}
	check("conditions see the attributes of whoever is trusted with them", func() error {
		decision, err := one(conditional("research", os.Getenv("TRUSTED_ID")))
		if err := expect(decision, err, client.Allowed); err != nil {
			return err
		}
		decision, err = one(conditional("marketing", os.Getenv("TRUSTED_ID")))
		return expect(decision, err, client.NotAllowed)
	})
	check("attributes are refused where the asker is not trusted with them", func() error {
		return refused(ask(conditional("research", workspace)))(403)
	})

	check("nothing is said of a resource at which the caller may not ask", func() error {
		return refused(ask(client.AuthorizationRequest{
			Subject:  subject(asker),
			Actions:  []client.ActionInfo{{Id: read}},
			Resource: client.ResourceInfo{Id: "/subscriptions/00000000-0000-4000-8000-000000000000"},
		}))(403)
	})

	check("a question that is none is refused", func() error {
		return refused(ask(client.AuthorizationRequest{Subject: subject("me"), Actions: []client.ActionInfo{{Id: read}}, Resource: client.ResourceInfo{Id: workspace}}))(400)
	})

	check("a token for another resource is refused", func() error {
		other, err := client.NewRemotePDPClient(endpoint, "https://graph.microsoft.com/.default", credential, &options)
		if err != nil {
			return err
		}
		answer, err := other.CheckAccess(context.Background(), client.AuthorizationRequest{
			Subject:  subject(asker),
			Actions:  []client.ActionInfo{{Id: read}},
			Resource: client.ResourceInfo{Id: workspace},
		})
		return refused(answer, err)(401)
	})
}

func expect(decision client.AuthorizationDecision, err error, wanted client.AccessDecision) error {
	if err == nil && decision.AccessDecision != wanted {
		return fmt.Errorf("%q, not %q: %+v", decision.AccessDecision, wanted, decision)
	}
	return err
}

// The status in the answer and the one in its body, which the client takes for the error's code.
func refused(answer *client.AuthorizationDecisionResponse, err error) func(int) error {
	return func(status int) error {
		var response *azcore.ResponseError
		if !errors.As(err, &response) {
			return fmt.Errorf("answered %+v, error %v", answer, err)
		}
		if response.StatusCode != status || response.ErrorCode != fmt.Sprint(status) {
			return fmt.Errorf("status %d, code %q", response.StatusCode, response.ErrorCode)
		}
		return nil
	}
}

func check(name string, run func() error) {
	line := map[string]any{"check": name, "ok": true}
	if err := run(); err != nil {
		line["ok"], line["error"] = false, err.Error()
	}
	must(json.NewEncoder(os.Stdout).Encode(line))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
