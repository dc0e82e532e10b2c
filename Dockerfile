# Both images can come from a mirror. The program and its dependencies are the same for all platforms: only the second
# image is of the target platform.
ARG BUILD_IMAGE=docker.io/library/node:24-trixie-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
ARG REVISION=unknown
RUN REVISION=$REVISION npm run build

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS dependencies
WORKDIR /src
COPY package.json package-lock.json ./
# Without optional dependencies: TypeScript is an optional peer of valibot, and npm would install it.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev --omit=optional

FROM ${RUNTIME_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ollama-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Ollama" \
      org.opencontainers.image.source="https://github.com/ollama-exporter/ollama-exporter" \
      org.opencontainers.image.documentation="https://github.com/ollama-exporter/ollama-exporter#readme" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
WORKDIR /app
COPY --from=dependencies /src/package.json ./
COPY --from=dependencies /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY LICENSE ./
# A number, so that Kubernetes can verify that it is not root: the user "nonroot" of distroless.
USER 65532:65532
EXPOSE 10434
# Without a shell. It reads the address from the environment, or from the exporter's own arguments.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 \
  CMD ["/nodejs/bin/node", "/app/dist/health-check.js"]
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/main.js"]
