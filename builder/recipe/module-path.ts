/** A Go module's path as recipes write it. */
export const modulePathPattern = /^[a-z0-9.-]+\.[a-z]+(\/[A-Za-z0-9._~-]+)*$/;
