/**
 * The tests that are run for each mutant of the policy, quick ones first: `npm run test:mutation`. All are of the
 * public surface, and none looks at a clock: those are in `*.time.test.ts`.
 */
import '../../src/policy/action-pattern.test.ts';
import '../../src/policy/scope.test.ts';
import '../../src/policy/permission-set.test.ts';
import '../../src/policy/conditions/values.test.ts';
import '../../src/policy/conditions/action-matches.test.ts';
import '../../src/policy/conditions/conditions.test.ts';
import '../../src/policy/conditions/documented.test.ts';
import '../../src/policy/engine/columns.test.ts';
import '../../src/policy/engine/gate.test.ts';
import '../../src/policy/engine/slot-ids.test.ts';
import '../../src/policy/engine/guid-index.test.ts';
import '../../src/policy/engine/own-tables.test.ts';
import '../../src/policy/engine/assignments.test.ts';
import '../../src/policy/engine/principals.test.ts';
import '../../src/policy/engine/reach.test.ts';
import '../../src/policy/engine/table-memory.test.ts';
import '../../src/policy/engine/scope-texts.test.ts';
import '../../src/policy/engine/scopes.test.ts';
import '../../src/policy/engine/decision-cache.test.ts';
import '../../src/policy/engine/actions.test.ts';
import '../../src/policy/engine/kept-actions.test.ts';
import '../../src/policy/engine/memberships.test.ts';
import '../../src/policy/engine/roles.test.ts';
import '../../src/policy/engine/resource-tags.test.ts';
import '../../src/policy/engine/condition-attributes.test.ts';
import '../../src/policy/decide.test.ts';
import '../../src/policy/snapshot.test.ts';
import '../../src/policy/snapshot.faults.test.ts';
import '../../src/policy/decide.precedence.test.ts';
import '../../src/policy/decide.subtree.test.ts';
import '../../src/policy/engine/exclusions.test.ts';
import '../../src/policy/engine/remembered.test.ts';
import '../../src/policy/engine/engine.test.ts';
import '../../src/policy/engine/forgotten-actions.test.ts';
import '../../src/policy/engine/shapes.test.ts';
import '../../src/policy/engine/deep-scopes.test.ts';
import '../../src/policy/engine/rights-tier.test.ts';
import '../../src/policy/engine/mask-tier.test.ts';
import '../../src/policy/decide.crowded.test.ts';
import '../../src/policy/decide.model.test.ts';
