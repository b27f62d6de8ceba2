"""What DescribeDeliveryStream says of a stream with each destination and each processor, in botocore's own shapes.

`tests/contract/test_descriptions.py` holds them against botocore's model, so that no member of them is invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

__all__ = ['DESCRIPTIONS']

Described = Mapping[str, Any]

ROLE = 'arn:aws:iam::123456789012:role/firehose'
HINTS = {'SizeInMBs': 5, 'IntervalInSeconds': 300}
LOGGING = {
    'Enabled': True,
    'LogGroupName': '/aws/kinesisfirehose/bar',
    'LogStreamName': 'DestinationDelivery',
}
S3 = {
    'RoleARN': ROLE,
    'BucketARN': 'arn:aws:s3:::logs',
    'Prefix': 'app/',
    'BufferingHints': HINTS,
    'CompressionFormat': 'UNCOMPRESSED',
    'EncryptionConfiguration': {'NoEncryptionConfig': 'NoEncryption'},
    'CloudWatchLoggingOptions': LOGGING,
}
CONVERSION = {
    'SchemaConfiguration': {
        'RoleARN': ROLE,
        'DatabaseName': 'logs',
        'TableName': 'app',
        'Region': 'eu-west-1',
        'VersionId': 'LATEST',
    },
    'InputFormatConfiguration': {'Deserializer': {'OpenXJsonSerDe': {}}},
    'OutputFormatConfiguration': {'Serializer': {'ParquetSerDe': {}}},
}
PARTITIONING = {'RetryOptions': {'DurationInSeconds': 300}, 'Enabled': True}


def processor(kind: str, **parameters: str) -> Described:
    return {
        'Type': kind,
        'Parameters': [
            {'ParameterName': name, 'ParameterValue': value} for name, value in parameters.items()
        ],
    }


def processing(*processors: Described, enabled: bool = True) -> Described:
    return {'ProcessingConfiguration': {'Enabled': enabled, 'Processors': list(processors)}}


DELIMITER = processor('AppendDelimiterToRecord', Delimiter='\\n')
LAMBDA = processor(
    'Lambda', LambdaArn='arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST', RoleArn=ROLE
)
METADATA = processor(
    'MetadataExtraction', MetadataExtractionQuery='{level: .level}', JsonParsingEngine='JQ-1.6'
)
BY_JSON = processor('RecordDeAggregation', SubRecordType='JSON')


def by_delimiter(delimiter: str) -> Described:
    return processor('RecordDeAggregation', SubRecordType='DELIMITED', Delimiter=delimiter)


def described(destination: Described, kind: str = 'DirectPut', **more: Any) -> Described:
    return {
        'DeliveryStreamName': 'bar',
        'DeliveryStreamARN': 'arn:aws:firehose:eu-west-1:123456789012:deliverystream/bar',
        'DeliveryStreamStatus': 'ACTIVE',
        'DeliveryStreamEncryptionConfiguration': {'Status': 'DISABLED'},
        'DeliveryStreamType': kind,
        'VersionId': '3',
        'CreateTimestamp': datetime(2026, 11, 1, tzinfo=timezone.utc),
        'Destinations': [{'DestinationId': 'destinationId-000000000001', **destination}],
        'HasMoreDestinations': False,
        **more,
    }


def s3(**more: Any) -> Described:
    """As Firehose shows it: under its older name, too."""
    return {
        'S3DestinationDescription': S3,
        'ExtendedS3DestinationDescription': {**S3, 'S3BackupMode': 'Disabled', **more},
    }


def stream_to_s3(**more: Any) -> Described:
    return described(s3(**more))


def search(name: str, domain: Described, **more: Any) -> Described:
    return described(
        {
            f'{name}DestinationDescription': {
                'RoleARN': ROLE,
                **domain,
                'IndexName': 'logs',
                'BufferingHints': HINTS,
                'RetryOptions': {'DurationInSeconds': 300},
                'S3BackupMode': 'FailedDocumentsOnly',
                'S3DestinationDescription': S3,
                'CloudWatchLoggingOptions': LOGGING,
                **more,
            }
        }
    )


def redshift(options: str, **more: Any) -> Described:
    return described(
        {
            'RedshiftDestinationDescription': {
                'RoleARN': ROLE,
                'ClusterJDBCURL': 'jdbc:redshift://example.eu-west-1.redshift.amazonaws.com:5439/logs',
                'CopyCommand': {'DataTableName': 'events', 'CopyOptions': options},
                'RetryOptions': {'DurationInSeconds': 3600},
                'S3DestinationDescription': S3,
                'S3BackupMode': 'Disabled',
                'CloudWatchLoggingOptions': LOGGING,
                **more,
            }
        }
    )


def splunk(kind: str, **more: Any) -> Described:
    return described(
        {
            'SplunkDestinationDescription': {
                'HECEndpoint': 'https://http-inputs-firehose-example.splunkcloud.com:443',
                'HECEndpointType': kind,
                'HECToken': 'token',
                'HECAcknowledgmentTimeoutInSeconds': 180,
                'RetryOptions': {'DurationInSeconds': 300},
                'S3BackupMode': 'FailedEventsOnly',
                'S3DestinationDescription': S3,
                'CloudWatchLoggingOptions': LOGGING,
                **more,
            }
        }
    )


def http(url: str, name: str, mib: int = 5, encoding: str = 'NONE') -> Described:
    return described(
        {
            'HttpEndpointDestinationDescription': {
                'EndpointConfiguration': {'Url': url, 'Name': name},
                'BufferingHints': {'SizeInMBs': mib, 'IntervalInSeconds': 60},
                'CloudWatchLoggingOptions': LOGGING,
                'RequestConfiguration': {'ContentEncoding': encoding, 'CommonAttributes': []},
                'RoleARN': ROLE,
                'RetryOptions': {'DurationInSeconds': 300},
                'S3BackupMode': 'FailedDataOnly',
                'S3DestinationDescription': S3,
            }
        }
    )


NEW_RELIC = 'https://aws-api.newrelic.com/firehose/v1'
SNOWFLAKE = {
    'SnowflakeDestinationDescription': {
        'AccountUrl': 'https://example.eu-west-1.snowflakecomputing.com',
        'User': 'firehose',
        'Database': 'LOGS',
        'Schema': 'PUBLIC',
        'Table': 'EVENTS',
        'DataLoadingOption': 'JSON_MAPPING',
        'CloudWatchLoggingOptions': LOGGING,
        'RoleARN': ROLE,
        'RetryOptions': {'DurationInSeconds': 60},
        'S3BackupMode': 'FailedDataOnly',
        'S3DestinationDescription': S3,
    }
}
ICEBERG = {
    'IcebergDestinationDescription': {
        'DestinationTableConfigurationList': [
            {'DestinationTableName': 'events', 'DestinationDatabaseName': 'logs'}
        ],
        'BufferingHints': HINTS,
        'CloudWatchLoggingOptions': LOGGING,
        'S3BackupMode': 'FailedDataOnly',
        'RetryOptions': {'DurationInSeconds': 300},
        'RoleARN': ROLE,
        'CatalogConfiguration': {'CatalogARN': 'arn:aws:glue:eu-west-1:123456789012:catalog'},
        'S3DestinationDescription': S3,
    }
}
DOMAIN = {'DomainARN': 'arn:aws:es:eu-west-1:123456789012:domain/logs', 'IndexRotationPeriod': 'OneDay'}

DESCRIPTIONS: Mapping[str, Described] = {
    's3': stream_to_s3(),
    's3-by-its-older-name': described({'S3DestinationDescription': S3}),
    's3-with-extension-gz': stream_to_s3(FileExtension='.json.gz'),
    's3-with-extension-zst': stream_to_s3(FileExtension='.json.zst'),
    's3-with-firehose-gzip': stream_to_s3(CompressionFormat='GZIP'),
    's3-with-delimiter': stream_to_s3(**processing(DELIMITER)),
    's3-with-delimiter-switched-off': stream_to_s3(**processing(DELIMITER, enabled=False)),
    's3-with-delimiter-and-extension-gz': stream_to_s3(FileExtension='.json.gz', **processing(DELIMITER)),
    's3-with-lambda': stream_to_s3(**processing(LAMBDA)),
    's3-with-conversion': stream_to_s3(DataFormatConversionConfiguration=CONVERSION),
    's3-with-conversion-switched-off': stream_to_s3(
        DataFormatConversionConfiguration={**CONVERSION, 'Enabled': False}
    ),
    's3-partitioned': stream_to_s3(DynamicPartitioningConfiguration=PARTITIONING, **processing(METADATA)),
    's3-partitioned-deaggregated': stream_to_s3(
        DynamicPartitioningConfiguration=PARTITIONING, **processing(BY_JSON, METADATA, DELIMITER)
    ),
    's3-partitioned-deaggregated-without-newlines': stream_to_s3(
        DynamicPartitioningConfiguration=PARTITIONING, **processing(BY_JSON, METADATA)
    ),
    's3-partitioned-deaggregated-by-newline': stream_to_s3(
        DynamicPartitioningConfiguration=PARTITIONING, **processing(by_delimiter('Cg=='), METADATA, DELIMITER)
    ),
    's3-partitioned-deaggregated-by-another-delimiter': stream_to_s3(
        DynamicPartitioningConfiguration=PARTITIONING,
        **processing(by_delimiter('IyMjIw=='), METADATA, DELIMITER),
    ),
    's3-partitioned-deaggregated-then-lambda': stream_to_s3(
        DynamicPartitioningConfiguration=PARTITIONING, **processing(BY_JSON, LAMBDA, METADATA, DELIMITER)
    ),
    's3-with-decompression': stream_to_s3(
        **processing(
            processor('Decompression', CompressionFormat='GZIP'),
            processor('CloudWatchLogProcessing', DataMessageExtraction='true'),
        )
    ),
    'redshift': redshift("FORMAT AS JSON 'auto'"),
    'redshift-without-json': redshift(''),
    'elasticsearch': search('Elasticsearch', DOMAIN),
    'opensearch': search('Amazonopensearchservice', DOMAIN),
    'opensearch-with-lambda': search('Amazonopensearchservice', DOMAIN, **processing(LAMBDA)),
    'opensearch-serverless': search(
        'AmazonOpenSearchServerless', {'CollectionEndpoint': 'https://example.eu-west-1.aoss.amazonaws.com'}
    ),
    'splunk-raw': splunk('Raw'),
    'splunk-event': splunk('Event'),
    'http-endpoint': http('https://logs.example.com/firehose', 'logs'),
    'http-new-relic': http(NEW_RELIC, 'New Relic logs - US', 1, 'GZIP'),
    'http-new-relic-as-the-console-has-it': http(NEW_RELIC, 'New Relic logs - US'),
    'http-elastic': http('https://my.es.us-east-1.aws.elastic-cloud.com', 'Elastic', 1, 'GZIP'),
    'http-elastic-with-much': http('https://my.es.us-east-1.aws.elastic-cloud.com', 'Elastic', 64, 'GZIP'),
    'http-datadog': http(
        'https://aws-kinesis-http-intake.logs.datadoghq.eu/v1/input', 'Datadog logs - EU', 2, 'GZIP'
    ),
    'http-datadog-with-much': http(
        'https://aws-kinesis-http-intake.logs.datadoghq.eu/v1/input', 'Datadog logs - EU', 5, 'GZIP'
    ),
    'http-grafana': http('https://alloy.example.com:443/awsfirehose/api/v1/push', 'logs'),
    'http-sumo-logic': http(
        'https://endpoint4.collection.us2.sumologic.com/receiver/v1/kinesis/log/x', 'logs'
    ),
    'http-opentelemetry': http('https://collector.example.com', 'otel-collector'),
    'http-vector': http('https://logs.example.com', 'Vector in prod'),
    'http-cribl': http('https://default.main.example.cribl.cloud', 'logs'),
    'http-coralogix': http('https://ingest.eu2.coralogix.com/aws/firehose', 'Coralogix'),
    'http-dynatrace': http('https://example.live.dynatrace.com/api/v2/logs/ingest/aws_firehose', 'logs'),
    'snowflake': described(SNOWFLAKE),
    'iceberg': described(ICEBERG),
    'from-a-kinesis-stream': described(
        s3(),
        'KinesisStreamAsSource',
        Source={
            'KinesisStreamSourceDescription': {
                'KinesisStreamARN': 'arn:aws:kinesis:eu-west-1:123456789012:stream/bar',
                'RoleARN': ROLE,
                'DeliveryStartTimestamp': datetime(2026, 11, 1, tzinfo=timezone.utc),
            }
        },
    ),
    'creating': described(s3(), DeliveryStreamStatus='CREATING'),
    'creating-failed': described(
        s3(),
        DeliveryStreamStatus='CREATING_FAILED',
        FailureDescription={'Type': 'KMS_ACCESS_DENIED', 'Details': 'The role may not use the key.'},
    ),
    'encryption-failed': described(
        s3(),
        DeliveryStreamEncryptionConfiguration={
            'KeyARN': 'arn:aws:kms:eu-west-1:123456789012:key/example',
            'KeyType': 'CUSTOMER_MANAGED_CMK',
            'Status': 'ENABLING_FAILED',
            'FailureDescription': {'Type': 'DISABLED_KMS_KEY', 'Details': 'The key is disabled.'},
        },
    ),
}
