# The paysaga binary alone: no shell, no package manager, not root.
FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG RELEASE=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=$RELEASE" -o /out/paysaga ./cmd/paysaga \
    && mkdir -p /out/book

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/paysaga /paysaga
# The sandbox's book, if it is run in memory or on a volume.
COPY --from=build --chown=65532:65532 /out/book /book
USER 65532:65532
EXPOSE 8080 8090 9090
ENTRYPOINT ["/paysaga"]
CMD ["serve"]
