"""What people read: chat texts, mails, pages and the certificate, in five languages."""
