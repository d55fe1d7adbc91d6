package policy

func (e *evaluator) hints(req *Request)          {}
func fixes(req *Request, e *evaluator) []Missing { return []Missing{} }
