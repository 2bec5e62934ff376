// A PostgreSQL with pgvector on 127.0.0.1, by PGlite: node server.mjs [PORT]. Without a port, or with
// 0, the system chooses one. Prints one line of JSON once it answers. The database is in memory: it is
// gone when the process ends, which SIGTERM, SIGINT or the end of standard input (where it is a pipe) brings about.
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { fstatSync } from 'node:fs'

// PGlite's socket takes it as given, and Debian 12's Node 18 has it not.
globalThis.CustomEvent ??= class extends Event {
  constructor(type, { detail = null, ...init } = {}) {
    super(type, init)
    this.detail = detail
  }
}

const port = Number(process.argv[2] ?? 0)
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`${process.argv[2]} is no port`)
  process.exit(2)
}
const db = await PGlite.create({ extensions: { vector } })
await db.exec('CREATE EXTENSION IF NOT EXISTS vector')
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port, maxConnections: 100 })
server.addEventListener('listening', (e) => console.log(JSON.stringify({ host: e.detail.host, port: e.detail.port, pid: process.pid })))
try {
  await server.start()
} catch (e) {
  console.error(`listening on 127.0.0.1:${port}: ${e.message}`)
  process.exit(1)
}
const end = () => process.exit(0)
process.on('SIGTERM', end)
process.on('SIGINT', end)
// A test that is killed cannot end its server; the pipe to it ends all the same.
if (fstatSync(0).isFIFO() || fstatSync(0).isSocket()) process.stdin.on('end', end).resume()
