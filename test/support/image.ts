/** Image that the tests run the server from; it keeps the official image's contract. */
export const TEST_IMAGE = process.env.PGSTACK_IMAGE ?? "pgstack.local/postgres:16.14";
