"""What is attached: the store of bytes (documents.blobs) and the documents we make (documents.convocation)."""
