<?php
// php -S 127.0.0.1:9000 receiver.php, or behind any web server
$secret = getenv('WEBHOOK_SECRET') ?: throw new Exception('WEBHOOK_SECRET is not set');
$key = base64_decode(str_replace('whsec_', '', $secret));
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
$time = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
$signatures = explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '');
$body = file_get_contents('php://input');

$expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
$equal = array_filter($signatures, fn ($each) => hash_equals($expected, $each));
if (!$equal || abs(time() - (int) $time) > 300) {
    http_response_code(400);
    exit;
}
$event = json_decode($body);
error_log("{$event->type} {$event->data->sign_id} {$event->data->seq}");
http_response_code(204);
