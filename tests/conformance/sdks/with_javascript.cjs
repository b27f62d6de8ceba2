// Do what comes line by line, by the JavaScript SDK, and answer each line with one of JSON: see test_sdks.py.
'use strict';

const readline = require('node:readline');
const sdk = require('@aws-sdk/client-firehose');

const client = new sdk.FirehoseClient();
// A record's data are bytes by the SDK's types, and JSON has none.
const toBytes = (key, value) => (key === 'Data' ? Buffer.from(value) : value);

async function answer(line) {
  const [operation, parameters] = JSON.parse(line, toBytes);
  try {
    return { answer: await client.send(new sdk[`${operation}Command`](parameters)) };
  } catch (error) {
    // Only the errors of the service model have a class that the SDK exports.
    const own = Object.keys(sdk).find((name) => sdk[name] === error.constructor);
    return { error: own ?? String(error), message: error.message };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(line)));
  }
})();
