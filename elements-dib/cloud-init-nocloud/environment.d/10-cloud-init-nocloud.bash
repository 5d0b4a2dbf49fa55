# Data of the image only.
export DIB_CLOUD_INIT_DATASOURCES=NoCloud
