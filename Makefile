VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PHONY: run test check image

run: ## everything in one process, with a synthetic feed
	go run ./cmd/tickstream up --sim

test:
	go test ./...

check: ## what CI does
	.ci/run

image: ## the image that docker-compose.yml runs
	docker build -f deploy/Dockerfile -t tickstream --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) .

.env: ## passwords for docker-compose.yml; an existing file is kept
	@umask 077 && while IFS= read -r line; do case $$line in \
		*_PASSWORD=|*_TOKEN=) echo "$$line$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;; \
		*) echo "$$line" ;; esac; done < .env.example > $@.new && mv $@.new $@
