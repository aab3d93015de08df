package notify

import (
	"embed"
	"io/fs"
	"strings"
	"text/template"

	"paysaga/domain/fault"
	"paysaga/domain/notice"
)

//go:embed templates
var files embed.FS

// Templates write messages. Each language has a file; each type of events has two templates in it, "<type>/title" and "<type>/text".
type Templates struct {
	by map[notice.Language]*template.Template
}

// NewTemplates reads what this build carries. It refuses a language without a template for each type.
func NewTemplates() (*Templates, error) { return readTemplates(files) }

func readTemplates(from fs.FS) (*Templates, error) {
	t := &Templates{by: map[notice.Language]*template.Template{}}
	for _, l := range notice.Languages() {
		text, err := fs.ReadFile(from, "templates/"+string(l)+".tmpl")
		if err != nil {
			return nil, fault.Invalid("template_missing", string(l), "there is no file of templates")
		}
		set, err := template.New(string(l)).Option("missingkey=error").Funcs(template.FuncMap{"money": moneyIn(l)}).Parse(string(text))
		if err != nil {
			return nil, fault.Invalid("template_invalid", string(l), "a template can't be read: "+err.Error())
		}
		for _, kind := range notice.Types() {
			for _, part := range []string{"/title", "/text"} {
				if set.Lookup(kind+part) == nil {
					return nil, fault.Invalid("template_missing", string(l), "there is no template "+kind+part)
				}
			}
		}
		t.by[l] = set
	}
	return t, nil
}

// moneyIn writes an amount and its currency as people of a language do.
func moneyIn(l notice.Language) func(amount, currency string) string {
	return func(amount, currency string) string {
		if l == notice.Chinese && currency == "CNY" {
			return amount + " 元"
		}
		return currency + " " + amount
	}
}

// Write writes a message in its row's language: a title of one line, and a text.
func (t *Templates) Write(r notice.Row, s notice.Settings) (title, text string, err error) {
	set := t.by[r.Language]
	if set == nil {
		set = t.by[notice.Languages()[0]]
	}
	if !notice.Concerns(r.Type) {
		return "", "", fault.Invalid("template_missing", "type", "nobody is told of events of this type")
	}
	facts, err := notice.FactsOf(r, s)
	if err != nil {
		return "", "", err
	}
	var parts [2]string
	for i, part := range []string{"/title", "/text"} {
		var b strings.Builder
		if err := set.ExecuteTemplate(&b, r.Type+part, facts); err != nil {
			return "", "", fault.Internal("a template can't be filled", nil)
		}
		parts[i] = strings.TrimSpace(b.String())
	}
	return strings.Join(strings.Fields(parts[0]), " "), parts[1], nil
}
