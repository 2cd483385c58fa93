// Uploads with tus-js-client.

import { Upload } from "tus-js-client"
import { serve } from "./line_protocol.mjs"

await serve({
  /** Uploads `data`; resolves with the upload's address and how often a request was tried again. */
  upload: ({ endpoint, token, data, filetype, chunk, parallel, retries }) =>
    new Promise((resolve, reject) => {
      let retried = 0
      const upload = new Upload(Buffer.from(data), {
        endpoint,
        headers: { Authorization: `Bearer ${token}` },
        metadata: { filetype, filename: "from-node.jpg" },
        chunkSize: chunk || Infinity,
        parallelUploads: parallel || 1,
        metadataForPartialUploads: {},
        retryDelays: Array(retries).fill(50),
        removeFingerprintOnSuccess: true,
        storeFingerprintForResuming: false,
        onShouldRetry: () => {
          retried++
          return true
        },
        onSuccess: () => resolve({ url: upload.url, retried }),
        onError: reject,
      })
      upload.start()
    }),
})
