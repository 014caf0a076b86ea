VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PHONY: run test check image vendor

run: ## everything in one process, with a synthetic feed
	go run ./cmd/tickstream up --sim

test:
	go test ./...

check: ## what CI does
	.ci/run

image: ## the image that docker-compose.yml runs
	docker build -f deploy/Dockerfile -t tickstream -t tickstream:$(VERSION) --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) .

vendor: ## what the dashboard takes from npm, again
	set -e; into=$(CURDIR)/health/dashboard/assets/vendor; dir=$$(mktemp -d); cd $$dir; \
	npm pack --silent uplot@1.6.32 >/dev/null; tar -xzf uplot-1.6.32.tgz; \
	cp package/dist/uPlot.iife.min.js $$into/uplot.min.js; cp package/dist/uPlot.min.css $$into/uplot.min.css; \
	cp package/LICENSE $$into/LICENSE.uplot.txt; rm -r $$dir

.env: ## passwords for docker-compose.yml; an existing file is kept
	@umask 077 && while IFS= read -r line; do case $$line in \
		*_PASSWORD=|*_TOKEN=) echo "$$line$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;; \
		*) echo "$$line" ;; esac; done < .env.example > $@.new && mv $@.new $@
