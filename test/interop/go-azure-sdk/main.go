// The client library of Terraform's provider azurerm, called in the order in which the provider's resources call it.
// Prints one JSON line for each check: {"check", "ok", "error"}.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/hashicorp/go-azure-helpers/lang/pointer"
	"github.com/hashicorp/go-azure-helpers/lang/response"
	"github.com/hashicorp/go-azure-helpers/resourcemanager/commonids"
	"github.com/hashicorp/go-azure-sdk/resource-manager/authorization/2022-04-01/roleassignments"
	"github.com/hashicorp/go-azure-sdk/resource-manager/authorization/2022-05-01-preview/roledefinitions"
	"github.com/hashicorp/go-azure-sdk/resource-manager/resources/2022-09-01/providers"
	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/claims"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"
)

// The library polls only under a deadline.
var ctx, _ = context.WithTimeout(context.Background(), 5*time.Minute)

const (
	roleName       = "azurerm's own"
	roleID         = "7a9d0f36-0000-4000-8000-000000000001"
	assignmentName = "7a9d0f36-0000-4000-8000-000000000002"
	refusedName    = "7a9d0f36-0000-4000-8000-000000000003"
	condition      = "(!(ActionMatches{'Microsoft.MachineLearningServices/workspaces/jobs/read'}))"
)

// What one person may do through the library.
type clients struct {
	assignments *roleassignments.RoleAssignmentsClient
	definitions *roledefinitions.RoleDefinitionsClient
	providers   *providers.ProvidersClient
}

func main() {
	log.SetOutput(io.Discard)
	environment, err := environments.FromEndpoint(ctx, given("LOCKSTEP_URL"))
	report("the environment is found by the address alone", err)
	if err != nil {
		os.Exit(1)
	}
	platform := credentials(environment, "PLATFORM")
	report("a secret is exchanged, and the token tells who it is of", identity(platform, given("PLATFORM_ID")))
	run := auth.Credentials{
		Environment:                         *environment,
		TenantID:                            given("TENANT_ID"),
		ClientID:                            given("CI_CLIENT_ID"),
		EnableAuthenticationUsingGitHubOIDC: true,
		OIDCTokenRequestURL:                 given("ID_TOKEN_URL"),
		OIDCTokenRequestToken:               given("ID_TOKEN_SECRET"),
	}
	report("a CI run's token is fetched and exchanged", identity(run, given("CI_ID")))

	own, err := clientsOf(platform)
	report("clients are made", err)
	report("the providers of the subscription are listed", own.listsProviders())
	report("a built-in role is found without a scope, by name and by id", own.findsBuiltIn())
	report("a role is made, read as it was written, changed with its dates, and deleted", own.keepsRole(given("GROUP")))
	report("an assignment is made, read as it was written, changed and deleted", own.keepsAssignment(given("WORKSPACE")))

	delegate, err := clientsOf(credentials(environment, "DELEGATE"))
	report("clients are made for a delegate", err)
	report("a constrained delegate is refused Owner with Azure's error", delegate.isRefusedOwner(given("WORKSPACE")))
}

func credentials(environment *environments.Environment, who string) auth.Credentials {
	return auth.Credentials{
		Environment:                           *environment,
		TenantID:                              given("TENANT_ID"),
		ClientID:                              given(who + "_CLIENT_ID"),
		ClientSecret:                          given(who + "_SECRET"),
		EnableAuthenticatingUsingClientSecret: true,
	}
}

// The provider takes a token for Graph and reads the claims, for azurerm_client_config.
func identity(who auth.Credentials, objectID string) error {
	authorizer, err := auth.NewAuthorizerFromCredentials(ctx, who, who.Environment.MicrosoftGraph)
	if err != nil {
		return err
	}
	token, err := authorizer.Token(ctx, &http.Request{})
	if err != nil {
		return err
	}
	found, err := claims.ParseClaims(token)
	if err != nil {
		return err
	}
	return same([]string{found.ObjectId, found.AppId, found.TenantId}, []string{objectID, who.ClientID, who.TenantID})
}

func clientsOf(who auth.Credentials) (clients, error) {
	api := who.Environment.ResourceManager
	authorizer, err := auth.NewAuthorizerFromCredentials(ctx, who, api)
	if err != nil {
		return clients{}, err
	}
	assignments, err := roleassignments.NewRoleAssignmentsClientWithBaseURI(api)
	if err != nil {
		return clients{}, err
	}
	definitions, err := roledefinitions.NewRoleDefinitionsClientWithBaseURI(api)
	if err != nil {
		return clients{}, err
	}
	all, err := providers.NewProvidersClientWithBaseURI(api)
	if err != nil {
		return clients{}, err
	}
	assignments.Client.SetAuthorizer(authorizer)
	definitions.Client.SetAuthorizer(authorizer)
	all.Client.SetAuthorizer(authorizer)
	return clients{assignments, definitions, all}, nil
}

func (c clients) listsProviders() error {
	found, err := c.providers.ListComplete(ctx, commonids.NewSubscriptionID(given("SUBSCRIPTION_ID")), providers.DefaultListOperationOptions())
	if err != nil {
		return err
	}
	for _, provider := range found.Items {
		if pointer.From(provider.Namespace) == "Microsoft.Authorization" && pointer.From(provider.RegistrationState) == "Registered" {
			return nil
		}
	}
	return fmt.Errorf("Microsoft.Authorization is not among %d", len(found.Items))
}

func (c clients) findsBuiltIn() error {
	filter := roledefinitions.ListOperationOptions{Filter: pointer.To("roleName eq 'Reader'")}
	listed, err := c.definitions.List(ctx, commonids.NewScopeID(""), filter)
	if err != nil {
		return err
	}
	if listed.Model == nil || len(*listed.Model) != 1 {
		return fmt.Errorf("not found by name: %+v", listed.Model)
	}
	// The library's address of this one begins with two slashes.
	read, err := c.definitions.Get(ctx, roledefinitions.NewScopedRoleDefinitionID("", pointer.From((*listed.Model)[0].Name)))
	if err != nil {
		return err
	}
	return same(pointer.From(read.Model.Properties.RoleName), "Reader")
}

func (c clients) keepsRole(scope string) error {
	id := roledefinitions.NewScopedRoleDefinitionID(scope, roleID)
	if absent, err := c.definitions.Get(ctx, id); err == nil || !response.WasNotFound(absent.HttpResponse) {
		return fmt.Errorf("what is not there is not said to be absent: %v", err)
	}
	wanted := roledefinitions.RoleDefinition{Properties: &roledefinitions.RoleDefinitionProperties{
		RoleName:         pointer.To(roleName),
		Description:      pointer.To("made"),
		Type:             pointer.To("CustomRole"),
		Permissions:      &[]roledefinitions.Permission{{Actions: &[]string{"Microsoft.MachineLearningServices/workspaces/models/*"}}},
		AssignableScopes: &[]string{scope},
	}}
	if _, err := c.definitions.CreateOrUpdate(ctx, id, wanted); err != nil {
		return err
	}
	read, err := c.definitions.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := same(pointer.From(read.Model.Properties.AssignableScopes), []string{scope}); err != nil {
		return err
	}
	if _, err := roledefinitions.ParseScopedRoleDefinitionID(pointer.From(read.Model.Id)); err != nil {
		return err
	}
	changed := *read.Model
	changed.Properties.Description = pointer.To("changed")
	updated, err := c.definitions.CreateOrUpdate(ctx, id, changed)
	if err != nil {
		return err
	}
	// The provider waits until the role, read anew, was made before and changed no earlier than this answer says.
	settled, err := c.definitions.Get(ctx, id)
	if err != nil {
		return err
	}
	answered := pointer.From(updated.Model.Properties.UpdatedOn)
	created, last := pointer.From(settled.Model.Properties.CreatedOn), pointer.From(settled.Model.Properties.UpdatedOn)
	if answered == "" || created == answered || last < answered {
		return fmt.Errorf("changed at %q, read as created %q and changed %q", answered, created, last)
	}
	if _, err := c.definitions.Delete(ctx, id); err != nil {
		return err
	}
	if gone, err := c.definitions.Get(ctx, id); err == nil || !response.WasNotFound(gone.HttpResponse) {
		return fmt.Errorf("what was deleted is not said to be absent: %v", err)
	}
	return nil
}

func (c clients) keepsAssignment(scope string) error {
	id := roleassignments.NewScopedRoleAssignmentID(scope, assignmentName)
	if absent, err := c.assignments.Get(ctx, id, roleassignments.DefaultGetOperationOptions()); err == nil || !response.WasNotFound(absent.HttpResponse) {
		return fmt.Errorf("what is not there is not said to be absent: %v", err)
	}
	wanted := roleassignments.RoleAssignmentProperties{
		RoleDefinitionId: "/subscriptions/" + given("SUBSCRIPTION_ID") + "/providers/Microsoft.Authorization/roleDefinitions/" + given("READER"),
		PrincipalId:      given("PRINCIPAL_ID"),
		Description:      pointer.To(""),
		Condition:        pointer.To(condition),
		ConditionVersion: pointer.To("2.0"),
	}
	if _, err := c.assignments.Create(ctx, id, roleassignments.RoleAssignmentCreateParameters{Properties: wanted}); err != nil {
		return err
	}
	read, err := c.assignments.Get(ctx, id, roleassignments.DefaultGetOperationOptions())
	if err != nil {
		return err
	}
	props := *read.Model.Properties
	// What Terraform keeps in its state is compared with the configuration, letter for letter.
	if err := same(
		[]string{props.RoleDefinitionId, props.PrincipalId, pointer.From(props.Scope), pointer.From(props.Condition), pointer.From(props.ConditionVersion), pointer.From(props.Description), pointer.From(read.Model.Id)},
		[]string{wanted.RoleDefinitionId, wanted.PrincipalId, scope, condition, "2.0", "", id.ID()},
	); err != nil {
		return err
	}
	role, err := roledefinitions.ParseScopedRoleDefinitionID(props.RoleDefinitionId)
	if err != nil {
		return err
	}
	if _, err := c.definitions.Get(ctx, *role); err != nil {
		return err
	}
	props.Description, props.Condition, props.ConditionVersion = pointer.To("changed"), nil, nil
	updated, err := c.assignments.Create(ctx, id, roleassignments.RoleAssignmentCreateParameters{Properties: props})
	if err != nil {
		return err
	}
	now := updated.Model.Properties
	if err := same([]string{pointer.From(now.Description), pointer.From(now.Condition), pointer.From(now.Scope)}, []string{"changed", "", scope}); err != nil {
		return err
	}
	if _, err := c.assignments.Delete(ctx, id, roleassignments.DefaultDeleteOperationOptions()); err != nil {
		return err
	}
	if gone, err := c.assignments.Get(ctx, id, roleassignments.DefaultGetOperationOptions()); err == nil || !response.WasNotFound(gone.HttpResponse) {
		return fmt.Errorf("what was deleted is not said to be absent: %v", err)
	}
	return nil
}

func (c clients) isRefusedOwner(scope string) error {
	owner := "/subscriptions/" + given("SUBSCRIPTION_ID") + "/providers/Microsoft.Authorization/roleDefinitions/" + given("OWNER")
	id := roleassignments.NewScopedRoleAssignmentID(scope, refusedName)
	_, err := c.assignments.Create(ctx, id, roleassignments.RoleAssignmentCreateParameters{
		Properties: roleassignments.RoleAssignmentProperties{RoleDefinitionId: owner, PrincipalId: given("PRINCIPAL_ID")},
	})
	if err == nil {
		return fmt.Errorf("Owner was granted")
	}
	for _, part := range []string{"403", "AuthorizationFailed", "does not have authorization to perform action 'Microsoft.Authorization/roleAssignments/write'", "lockstep explain dec_"} {
		if !strings.Contains(err.Error(), part) {
			return fmt.Errorf("%q is not in: %v", part, err)
		}
	}
	return nil
}

func same(found any, wanted any) error {
	if reflect.DeepEqual(found, wanted) {
		return nil
	}
	return fmt.Errorf("found %v, wanted %v", found, wanted)
}

func given(name string) string {
	value := os.Getenv(name)
	if value == "" {
		fmt.Fprintf(os.Stderr, "%s is not set\n", name)
		os.Exit(2)
	}
	return value
}

func report(check string, err error) {
	line := map[string]any{"check": check, "ok": err == nil}
	if err != nil {
		line["error"] = err.Error()
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}
