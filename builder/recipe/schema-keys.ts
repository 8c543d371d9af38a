import { z } from "zod";

/** The keys that a schema knows for the object at a path, across the variants of a union; none for what is no object. */
export function keysOfSchema(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  return keysOf(
    path.reduce<readonly z.core.$ZodType[]>((level, key) => level.flatMap((one) => childrenOf(one, key)), [schema]),
  );
}

function keysOf(schemas: readonly z.core.$ZodType[]): string[] {
  const keys = schemas.flatMap(unwrap).flatMap((schema) => {
    if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
    const keyType = schema instanceof z.ZodRecord ? schema.keyType : undefined;
    return keyType instanceof z.ZodEnum ? keyType.options.map(String) : [];
  });
  return [...new Set(keys)];
}

function childrenOf(schema: z.core.$ZodType, key: PropertyKey): readonly z.core.$ZodType[] {
  return unwrap(schema).flatMap((inner) => {
    if (inner instanceof z.ZodObject) return [inner.shape[String(key)]].filter((child) => child !== undefined);
    if (inner instanceof z.ZodArray) return [inner.element];
    if (inner instanceof z.ZodRecord) return [inner.valueType];
    return [];
  });
}

/** What stands behind optional and union. */
function unwrap(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional) return unwrap(schema.unwrap());
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrap);
  return [schema];
}
