// Package rule compiles and runs the conditions that merchants and operators
// write: one CEL expression each, over the facts of one payment. It is pure. A
// condition has no loops, no regular expressions, no floats and no clock but
// the payment's, so its work is bounded by its length; a limit on its cost
// bounds it once more.
package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"paysaga/domain/fault"
)

// The bounds of one condition.
const (
	MaxSource = 2000 // bytes
	MaxDepth  = 40   // levels of its syntax tree
	MaxNodes  = 400  // of its syntax tree
	MaxCost   = 5000 // CEL's units of work in one evaluation; a comparison is about one
)

// Env is the typed environment of a package's rules. It never changes.
type Env struct {
	cel   *cel.Env
	facts map[string]Fact
}

// NewEnv returns an environment with the facts of a payment and the extra ones.
func NewEnv(extra ...Fact) (*Env, error) { return NewEnvOf(append(Known(), extra...)...) }

// NewEnvOf returns an environment with these facts alone. What a package declares of its own (Texts, Integers, …) is read with
// HoldsIn.
func NewEnvOf(facts ...Fact) (*Env, error) {
	e := &Env{facts: map[string]Fact{}}
	// Left out: what runs long (matches), what reads time zone files (the
	// functions of timestamps), what defers a type error to the payment (dyn,
	// type), and floats.
	without := []string{"matches", "dyn", "type", "double", "bytes", "getFullYear", "getMonth", "getDayOfYear", "getDate",
		"getDayOfMonth", "getDayOfWeek", "getHours", "getMinutes", "getSeconds", "getMilliseconds"}
	subset := env.NewLibrarySubset().SetDisableMacros(true)
	for _, name := range without {
		subset.AddExcludedFunctions(env.NewFunction(name))
	}
	options := []cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(subset)),
		cel.ClearMacros(), cel.Macros(cel.HasMacro), // has() is the only macro that doesn't loop
		cel.ParserRecursionLimit(MaxDepth), cel.ParserExpressionSizeLimit(MaxSource),
	}
	for _, f := range facts {
		e.facts[f.Name] = f
		options = append(options, cel.Variable(f.Name, f.kind))
	}
	var err error
	if e.cel, err = cel.NewCustomEnv(options...); err != nil {
		return nil, fault.Internal("the environment of rules can't be built", err)
	}
	return e, nil
}

// Condition is a compiled expression: true or false of a payment. It is safe
// for concurrent use and never changes. The zero Condition is true.
type Condition struct {
	program cel.Program
	env     *Env
	names   []string
}

// Compile compiles a condition. Whatever can't work is Invalid "rule_invalid"
// for param; its message has CEL's line and column. An empty source is always
// true.
func (e *Env) Compile(param, source string) (c Condition, err error) {
	defer func() { // a parser that meets what nobody wrote before must not take the process along
		if recover() != nil {
			c, err = Condition{}, fault.Invalid("rule_invalid", param, "the expression can't be read")
		}
	}()
	if strings.TrimSpace(source) == "" {
		return Condition{}, nil
	}
	if len(source) > MaxSource {
		return Condition{}, fault.Invalid("rule_invalid", param, "the expression is longer than "+strconv.Itoa(MaxSource)+" bytes")
	}
	checked, issues := e.cel.Compile(source)
	if issues.Err() != nil {
		return Condition{}, fault.Invalid("rule_invalid", param, position(issues))
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return Condition{}, fault.Invalid("rule_invalid", param, "1:1: the expression gives "+clip(checked.OutputType().String())+", not bool")
	}
	if err := judge(param, checked.NativeRep()); err != nil {
		return Condition{}, err
	}
	program, err := e.cel.Program(checked, cel.CostLimit(MaxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil { // constants that can't be folded: 1/0
		return Condition{}, fault.Invalid("rule_invalid", param, "the expression has a part that always fails")
	}
	return Condition{program: program, env: e, names: namesIn(checked.NativeRep())}, nil
}

// Names are the facts that the condition reads, each once.
func (c Condition) Names() []string { return c.names }

func namesIn(a *ast.AST) (list []string) {
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && !slices.Contains(list, e.AsIdent()) {
			list = append(list, e.AsIdent())
		}
	}))
	return list
}

// position gives the first of CEL's complaints with its line and column, each
// from 1.
func position(issues *cel.Issues) string {
	first := issues.Errors()[0]
	if first.Location.Line() < 1 { // the parser's own bounds have no place
		return "the expression nests deeper than we read: " + clip(first.Message)
	}
	return clip(fmt.Sprintf("%d:%d: %s", first.Location.Line(), first.Location.Column()+1, first.Message))
}

func clip(s string) string {
	const most = 200
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// judge refuses what compiles and is still not for us: trees that are deep or
// wide, floats, and conversions whose result hangs on the way of writing.
func judge(param string, a *ast.AST) error {
	if ast.ExceedsDepth(a, MaxDepth) {
		return fault.Invalid("rule_invalid", param, "the expression nests deeper than "+strconv.Itoa(MaxDepth)+" levels")
	}
	nodes, refused := 0, ""
	ast.PreOrderVisit(a.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		nodes++
		at := a.SourceInfo().GetStartLocation(e.ID())
		why := ""
		switch {
		case e.Kind() == ast.LiteralKind && e.AsLiteral().Type() == types.DoubleType:
			why = "a fraction; amounts are integers of minor units"
		case e.Kind() == ast.StructKind:
			why = "a message can't be built in a rule"
		case e.Kind() == ast.ComprehensionKind, e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.NotStrictlyFalse:
			why = "a loop"
		}
		if why != "" && refused == "" {
			refused = fmt.Sprintf("%d:%d: %s", at.Line(), at.Column()+1, why)
		}
	}))
	if refused == "" && nodes > MaxNodes {
		refused = "the expression has more than " + strconv.Itoa(MaxNodes) + " parts"
	}
	if refused != "" {
		return fault.Invalid("rule_invalid", param, refused)
	}
	return nil
}

// CheckName refuses a rule's name that is not 1–64 of a–z, 0–9, _ and -; the
// param is "name". Names stand in events, verdicts and reasons.
func CheckName(name string) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return fault.Invalid("name_invalid", "name", "a rule's name is 1 to 64 of a–z, 0–9, _ and -")
	}
	return nil
}
