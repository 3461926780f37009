// For tests/table/routes.py: is the OpenAPI document in this file valid?
//
//   node openapi.mjs FILE
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';

const validator = new Validator();
const document = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const result = await validator.validate(document);
console.log(JSON.stringify({ version: validator.version, ...result }));
process.exit(result.valid ? 0 : 1);
