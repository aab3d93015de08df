package fake

import "net/http"

func (s *Server) billURL(request) answer { return business("isp.bill_not_exist") }

func (s *Server) download(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }
