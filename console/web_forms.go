package console

import (
	"parley/console/ui"
	"parley/tenant"
)

// fill keeps what was typed in a form that comes back, but for passwords.
func (q *request) fill(f *ui.Form) {
	for i := range f.Fields {
		if f.Fields[i].Type != "password" && !f.Fields[i].Secret {
			f.Fields[i].Value = q.typed(f.Fields[i].Name)
		}
	}
}

// correct brings a form back with each error at its field. rename maps the domain's names of
// fields to the form's. What is no error of the form goes on as it is.
func (q *request) correct(f *ui.Form, err error, show func() (ui.View, error), rename ...string) (outcome, error) {
	e, ok := tenant.AsError(err)
	if !ok {
		return outcome{}, err
	}
	switch e.Code {
	case tenant.CodeInvalid, tenant.CodeConflict, tenant.CodeForbidden, tenant.CodeLimitReached, tenant.CodeRateLimited, tenant.CodeUnavailable:
	case tenant.CodeNotFound:
		if len(f.Fields) == 0 {
			return outcome{}, err
		}
	case tenant.CodeUnauthorized:
		if q.who != nil || len(f.Fields) == 0 {
			return outcome{}, err
		}
	default:
		return outcome{}, err
	}
	q.fill(f)
	placed := false
	for name, why := range e.Fields {
		for i := 0; i+1 < len(rename); i += 2 {
			if rename[i] == name {
				name = rename[i+1]
			}
		}
		placed = f.Wrong(name, sentence(why)) || placed
	}
	if !placed {
		f.Error = sentence(domainFailure(e).Message)
	}
	q.call.code = e.Code
	view, err := show()
	return outcome{view: view, status: domainFailure(e).status}, err
}
