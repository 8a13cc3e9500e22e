"""Parts of the Sentinel Hub source: deployments, credentials, evalscripts, requests, costs, the way to the service."""
